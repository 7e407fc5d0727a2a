package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keyslot-go/keyslot/internal/resp"
	"github.com/keyslot-go/keyslot/internal/spec/rows"
)

// ask collects the rows of all commands and subcommands.
func ask(c *client) (*rows.File, error) {
	info, err := c.call("INFO", "server")
	if err != nil {
		return nil, err
	}
	commands, err := c.call("COMMAND")
	if err != nil {
		return nil, err
	}
	docs, err := c.call("COMMAND", "DOCS")
	if err != nil {
		return nil, err
	}
	file := &rows.File{}
	file.Server, file.Version = serverVersion(info.Str)
	if file.Version == "" {
		return nil, fmt.Errorf("INFO server names no version")
	}
	documented := make(map[string]dict)
	collectDocs(documented, docs)
	for _, entry := range commands.Elems {
		file.Commands = appendRows(file.Commands, entry.Elems, documented)
	}
	return file, nil
}

// serverVersion reads engine and version from the reply to INFO server. Valkey calls itself Redis 7.2 there as well,
// for old clients, so its own field decides.
func serverVersion(info string) (server, version string) {
	field := make(map[string]string)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		field[name] = value
	}
	if v := field["valkey_version"]; v != "" {
		return "valkey", v
	}
	return "redis", field["redis_version"]
}

// collectDocs files the documentation of commands and subcommands under their names.
func collectDocs(into map[string]dict, docs resp.Value) {
	for name, v := range dictOf(docs) {
		d := dictOf(v)
		into[rowName(name)] = d
		collectDocs(into, d["subcommands"])
	}
}

// appendRows appends the row of one element of COMMAND's reply, then those of its subcommands:
//
//	name, arity, [flags], first, last, step, [ACL categories], [tips], [key specs], [subcommands]
func appendRows(dst []rows.Row, entry []resp.Value, documented map[string]dict) []rows.Row {
	const elements = 10
	if len(entry) < elements {
		return dst
	}
	name := rowName(entry[0].Str)
	doc := documented[name]
	row := rows.Row{
		Name:       name,
		Group:      doc["group"].Str,
		Since:      doc["since"].Str,
		Arity:      int(entry[1].Int),
		Flags:      sorted(texts(entry[2])),
		ACL:        sorted(texts(entry[6])),
		Tips:       texts(entry[7]),
		Container:  len(entry[9].Elems) > 0,
		Summary:    doc["summary"].Str,
		Deprecated: doc["deprecated_since"].Str,
		ReplacedBy: doc["replaced_by"].Str,
		Arguments:  arguments(doc["arguments"]),
	}
	for i := range row.ACL {
		row.ACL[i] = strings.TrimPrefix(row.ACL[i], "@")
	}
	for _, s := range entry[8].Elems {
		row.Keys = append(row.Keys, keySpec(dictOf(s)))
	}
	dst = append(dst, row)
	for _, sub := range entry[9].Elems {
		dst = appendRows(dst, sub.Elems, documented)
	}
	return dst
}

// rowName turns "config|get" into "CONFIG GET".
func rowName(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "|", " ")) }

func keySpec(d dict) rows.KeySpec {
	k := rows.KeySpec{Flags: sorted(texts(d["flags"]))}
	begin, find := dictOf(d["begin_search"]), dictOf(d["find_keys"])
	at := dictOf(begin["spec"])
	switch begin["type"].Str {
	case "index":
		k.Index = at.number("index")
	case "keyword":
		k.Keyword, k.From = at["keyword"].Str, at.number("startfrom")
	default:
		k.Unknown = true
	}
	by := dictOf(find["spec"])
	switch find["type"].Str {
	case "range":
		k.Last, k.Step, k.Limit = by.number("lastkey"), by.number("keystep"), by.number("limit")
	case "keynum":
		at := by.number("keynumidx")
		k.Numkeys, k.First, k.Step = &at, by.number("firstkey"), by.number("keystep")
	default:
		k.Unknown = true
	}
	return k
}

func arguments(v resp.Value) []rows.Argument {
	var all []rows.Argument
	for _, e := range v.Elems {
		d := dictOf(e)
		a := rows.Argument{
			Name:      d["name"].Str,
			Type:      d["type"].Str,
			Token:     d["token"].Str,
			Since:     d["since"].Str,
			Flags:     sorted(texts(d["flags"])),
			Arguments: arguments(d["arguments"]),
		}
		if _, ok := d["key_spec_index"]; ok {
			i := d.number("key_spec_index")
			a.Key = &i
		}
		all = append(all, a)
	}
	return all
}

// dict is a map as RESP2 has it: name, value, name, value ...
type dict map[string]resp.Value

func dictOf(v resp.Value) dict {
	d := make(dict)
	for pair := range slices.Chunk(v.Elems, 2) {
		d[pair[0].Str] = pair[len(pair)-1]
	}
	return d
}

func (d dict) number(name string) int { return int(d[name].Int) }

func texts(v resp.Value) []string {
	var all []string
	for _, e := range v.Elems {
		all = append(all, e.Str)
	}
	return all
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}
