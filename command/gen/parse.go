package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// tableSet is what all tables say together: options of one may be for commands of another.
type tableSet struct {
	decoders map[string]string   // decoder to the type of its result
	options  map[string][]string // interface to the types of its options, in the order of the tables
	tables   []*table
}

// table is one file.
type table struct {
	name    string
	methods []*method
	options []*option
	ifaces  []*iface
}

// method is one typed command.
type method struct {
	doc        []string
	name       string
	params     []param
	decoder    string
	encoder    string // the method of Call
	byHand     bool   // it is not generated
	isVariant  bool   // another one brings it
	wire       []string
	complexity string
}

// param is one parameter.
type param struct {
	name, kind string
	variadic   bool
	slice      bool
}

// option is one optional argument.
type option struct {
	doc    []string
	name   string
	params []param
	wire   []string
	byHand bool
	fors   []string
}

// iface is what the options of some commands have in common.
type iface struct {
	doc  []string
	name string
}

var (
	methodLine = regexp.MustCompile(`^([A-Z]\w*)\((.*)\) (\w+)$`)
	asLine     = regexp.MustCompile(`^\tas ([A-Z]\w*) (\w+) (// .*)$`)
	optionLine = regexp.MustCompile(`^option ([A-Z]\w*)(?:\((.*)\))? = (.*) for (.*)$`)
	handLine   = regexp.MustCompile(`^option by hand ([A-Z]\w*) for (.*)$`)
	optsLine   = regexp.MustCompile(`^options ([A-Z]\w*Option)$`)
)

// parse adds the table in a file.
func (s *tableSet) parse(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	t := &table{name: strings.TrimSuffix(filepath.Base(path), ".txt")}
	s.tables = append(s.tables, t)
	var doc []string
	for i, line := range strings.Split(string(text), "\n") {
		switch {
		case strings.HasPrefix(line, "//"):
			doc = append(doc, line)
			continue
		case line == "", strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "\t"):
			err = t.detail(line)
		case strings.HasPrefix(line, "option"):
			err = s.option(t, line, doc)
		default:
			err = s.method(t, line, doc)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w: %s", filepath.Base(path), i+1, err, line)
		}
		doc = nil
	}
	return nil
}

func (s *tableSet) method(t *table, line string, doc []string) error {
	m := methodLine.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("not a method")
	}
	params, err := parseParams(m[2])
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.Join(doc, ""), "// "+m[1]+" ") {
		return fmt.Errorf("the comment above does not begin with the method's name")
	}
	if s.decoders[m[3]] == "" {
		return fmt.Errorf("no decoder %s", m[3])
	}
	t.methods = append(t.methods, &method{doc: doc, name: m[1], params: params, decoder: m[3], encoder: encoderName(m[1])})
	return nil
}

// detail reads the lines below a method.
func (t *table) detail(line string) error {
	if len(t.methods) == 0 {
		return fmt.Errorf("there is no method above")
	}
	last := t.methods[len(t.methods)-1]
	if m := asLine.FindStringSubmatch(line); m != nil {
		v := *last
		v.name, v.decoder, v.doc, v.isVariant = m[1], m[2], []string{m[3]}, true
		t.methods = append(t.methods, &v)
		return nil
	}
	wire, complexity, ok := strings.Cut(strings.TrimSpace(line), "; ")
	if !ok || last.wire != nil {
		return fmt.Errorf("not what is sent, or a second time")
	}
	last.complexity = complexity
	wire, last.byHand = strings.CutPrefix(wire, "by hand ")
	last.wire = strings.Fields(wire)
	if last.byHand {
		return nil
	}
	return checkWire(last.wire, last.params)
}

func (s *tableSet) option(t *table, line string, doc []string) error {
	if m := optsLine.FindStringSubmatch(line); m != nil {
		t.ifaces = append(t.ifaces, &iface{doc: doc, name: m[1]})
		return nil
	}
	o := &option{doc: doc}
	if m := handLine.FindStringSubmatch(line); m != nil {
		o.name, o.byHand, o.fors = m[1], true, strings.Fields(m[2])
	} else if m := optionLine.FindStringSubmatch(line); m != nil {
		params, err := parseParams(m[2])
		if err != nil {
			return err
		}
		o.name, o.params, o.wire, o.fors = m[1], params, strings.Fields(m[3]), strings.Fields(m[4])
		if err := checkWire(o.wire, o.params); err != nil {
			return err
		}
		if !strings.HasPrefix(strings.Join(doc, ""), "// "+o.name+" ") {
			return fmt.Errorf("the comment above does not begin with the option's name")
		}
	} else {
		return fmt.Errorf("not an option")
	}
	t.options = append(t.options, o)
	for _, name := range o.fors {
		s.options[name] = append(s.options[name], o.typeName())
	}
	return nil
}

// typeName is the Go type of an option.
func (o *option) typeName() string {
	if o.byHand {
		return o.name
	}
	return lowerFirst(o.name) + "Option"
}

func parseParams(list string) ([]param, error) {
	if list == "" {
		return nil, nil
	}
	var params []param
	for _, field := range strings.Split(list, ", ") {
		name, kind, ok := strings.Cut(field, " ")
		if !ok {
			return nil, fmt.Errorf("parameter %q has no type", field)
		}
		kind, variadic := strings.CutPrefix(kind, "...")
		kind, slice := strings.CutPrefix(kind, "[]")
		if goTypes[kind] == "" && !token.IsExported(kind) {
			return nil, fmt.Errorf("unknown type %s", kind)
		}
		params = append(params, param{name, kind, variadic, slice})
	}
	return params, nil
}

// checkWire requires that what is sent holds every parameter, and no other word that looks like one.
func checkWire(wire []string, params []param) error {
	sent := map[string]bool{}
	for _, word := range wire {
		name := strings.TrimPrefix(word, "#")
		known := slices.ContainsFunc(params, func(p param) bool { return p.name == name })
		if !known && (name != word || strings.ToLower(word) == word && strings.ToUpper(word) != word) {
			return fmt.Errorf("%s is no parameter", word)
		}
		if known && name == word {
			sent[word] = true
		}
	}
	for _, p := range params {
		if !sent[p.name] {
			return fmt.Errorf("%s is not sent", p.name)
		}
	}
	return nil
}

// findDecoders returns the decoders of the package in dir, with the types of their results.
func findDecoders(dir string) (map[string]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return nil, err
	}
	decoders := map[string]string{}
	for _, path := range paths {
		if strings.HasSuffix(path, "_gen.go") || strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && isDecoder(f) {
				decoders[f.Name.Name] = types.ExprString(f.Type.Results.List[0].Type)
			}
		}
	}
	return decoders, nil
}

// isDecoder reports whether f is declared as func(*Call, *packer) (T, error).
func isDecoder(f *ast.FuncDecl) bool {
	if f.Recv != nil || f.Type.TypeParams != nil || f.Type.Results == nil || len(f.Type.Results.List) != 2 {
		return false
	}
	var params []string
	for _, p := range f.Type.Params.List {
		for range max(1, len(p.Names)) {
			params = append(params, types.ExprString(p.Type))
		}
	}
	return slices.Equal(params, []string{"*Call", "*packer"})
}

// lowerFirst makes an exported name an unexported one: ZAdd zAdd, EX ex, LCSIdx lcsIdx.
func lowerFirst(s string) string {
	n := len(upperRun.FindString(s))
	if n > 1 && n < len(s) {
		n--
	}
	return strings.ToLower(s[:n]) + s[n:]
}

var upperRun = regexp.MustCompile(`^[A-Z0-9]+`)

// encoderName is the method of Call that encodes a command.
func encoderName(method string) string {
	name := lowerFirst(method)
	if token.IsKeyword(name) || name == "keys" {
		return name + "Command"
	}
	return name
}
