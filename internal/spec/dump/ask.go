package main

import (
	"fmt"
	"slices"
	"strings"

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
	file.Server, file.Version = serverVersion(text(info))
	if file.Version == "" {
		return nil, fmt.Errorf("INFO server names no version")
	}
	documented := make(map[string]dict)
	collectDocs(documented, dictOf(docs))
	for _, entry := range list(commands) {
		file.Commands = appendRows(file.Commands, list(entry), documented)
	}
	return file, nil
}

// collectDocs files the documentation of commands and subcommands under their names.
func collectDocs(into map[string]dict, docs dict) {
	for name, v := range docs {
		d := dictOf(v)
		into[rowName(name)] = d
		collectDocs(into, dictOf(d["subcommands"]))
	}
}

// appendRows appends the row of one element of COMMAND's reply, then those of its subcommands:
//
//	name, arity, [flags], first, last, step, [ACL categories], [tips], [key specs], [subcommands]
func appendRows(dst []rows.Row, entry []any, documented map[string]dict) []rows.Row {
	const elements = 10
	if len(entry) < elements {
		return dst
	}
	name := rowName(text(entry[0]))
	doc := documented[name]
	row := rows.Row{
		Name:       name,
		Group:      text(doc["group"]),
		Since:      text(doc["since"]),
		Arity:      number(entry[1]),
		Flags:      sorted(texts(entry[2])),
		ACL:        sorted(texts(entry[6])),
		Tips:       texts(entry[7]),
		Container:  len(list(entry[9])) > 0,
		Summary:    text(doc["summary"]),
		Deprecated: text(doc["deprecated_since"]),
		ReplacedBy: text(doc["replaced_by"]),
		Arguments:  arguments(doc["arguments"]),
	}
	for i := range row.ACL {
		row.ACL[i] = strings.TrimPrefix(row.ACL[i], "@")
	}
	for _, s := range list(entry[8]) {
		row.Keys = append(row.Keys, keySpec(dictOf(s)))
	}
	dst = append(dst, row)
	for _, sub := range list(entry[9]) {
		dst = appendRows(dst, list(sub), documented)
	}
	return dst
}

// rowName turns "config|get" into "CONFIG GET".
func rowName(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "|", " ")) }

func keySpec(d dict) rows.KeySpec {
	k := rows.KeySpec{Flags: sorted(texts(d["flags"]))}
	begin, find := dictOf(d["begin_search"]), dictOf(d["find_keys"])
	at := dictOf(begin["spec"])
	switch text(begin["type"]) {
	case "index":
		k.Index = number(at["index"])
	case "keyword":
		k.Keyword, k.From = text(at["keyword"]), number(at["startfrom"])
	default:
		k.Unknown = true
	}
	by := dictOf(find["spec"])
	switch text(find["type"]) {
	case "range":
		k.Last, k.Step, k.Limit = number(by["lastkey"]), number(by["keystep"]), number(by["limit"])
	case "keynum":
		at := number(by["keynumidx"])
		k.Numkeys, k.First, k.Step = &at, number(by["firstkey"]), number(by["keystep"])
	default:
		k.Unknown = true
	}
	return k
}

func arguments(v any) []rows.Argument {
	var all []rows.Argument
	for _, e := range list(v) {
		d := dictOf(e)
		a := rows.Argument{
			Name:      text(d["name"]),
			Type:      text(d["type"]),
			Token:     text(d["token"]),
			Since:     text(d["since"]),
			Flags:     sorted(texts(d["flags"])),
			Arguments: arguments(d["arguments"]),
		}
		if i, ok := d["key_spec_index"].(int); ok {
			a.Key = &i
		}
		all = append(all, a)
	}
	return all
}

// dict is a RESP2 map: name, value, name, value ...
type dict map[string]any

func dictOf(v any) dict {
	elems := list(v)
	d := make(dict)
	for i := 0; i+1 < len(elems); i += 2 {
		d[text(elems[i])] = elems[i+1]
	}
	return d
}

func list(v any) []any { l, _ := v.([]any); return l }

func text(v any) string { s, _ := v.(string); return s }

func number(v any) int { n, _ := v.(int); return n }

func texts(v any) []string {
	var all []string
	for _, e := range list(v) {
		all = append(all, text(e))
	}
	return all
}

func sorted(s []string) []string { slices.Sort(s); return s }
