package keyslottest

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"

	"github.com/keyslot-go/keyslot/internal/resp"
)

// compileLua compiles a script; the error is what a server answers.
func compileLua(script string) (*lua.FunctionProto, error) {
	chunk, err := parse.Parse(strings.NewReader(script), "user_script")
	if err == nil {
		var compiled *lua.FunctionProto
		if compiled, err = lua.Compile(chunk, "user_script"); err == nil {
			return compiled, nil
		}
	}
	return nil, fmt.Errorf("ERR Error compiling script (new function): %s", strings.Join(strings.Fields(err.Error()), " "))
}

// newLua makes the world of one script.
func (run *scriptRun) newLua(keys, args []string) *lua.LState {
	l := lua.NewState(lua.Options{SkipOpenLibs: true})
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase, lua.CoroutineLibName: lua.OpenCoroutine, lua.TabLibName: lua.OpenTable,
		lua.StringLibName: lua.OpenString, lua.MathLibName: lua.OpenMath, lua.DebugLibName: lua.OpenDebug,
	} {
		l.Push(l.NewFunction(open))
		l.Push(lua.LString(name))
		l.Call(1, 0)
	}
	for _, name := range []string{"print", "dofile", "loadfile", "newproxy", "require", "module", "_printregs"} {
		l.SetGlobal(name, lua.LNil)
	}
	l.SetGlobal("tostring", l.NewFunction(luaToString))
	l.SetGlobal("error", l.NewFunction(luaError))
	l.SetGlobal("pcall", l.NewFunction(luaPCall(l.GetGlobal("pcall"))))
	l.SetGlobal("KEYS", luaStrings(l, keys))
	l.SetGlobal("ARGV", luaStrings(l, args))
	api := l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"call":  func(l *lua.LState) int { return run.call(l, true) },
		"pcall": func(l *lua.LState) int { return run.call(l, false) },
		"error_reply": func(l *lua.LState) int {
			return luaReply(l, "err", func(text string) string {
				code, rest, two := strings.Cut(strings.TrimPrefix(text, "-"), " ")
				if !two {
					return "ERR " + code
				}
				return code + " " + rest
			})
		},
		"status_reply": func(l *lua.LState) int { return luaReply(l, "ok", func(text string) string { return text }) },
		"sha1hex": func(l *lua.LState) int {
			if l.GetTop() != 1 {
				return raise(l, "ERR wrong number of arguments")
			}
			l.Push(lua.LString(sha1Hex(luaText(l.Get(1)))))
			return 1
		},
		"setresp": run.setResp,
		"log":     func(*lua.LState) int { return 0 },
		"replicate_commands": func(l *lua.LState) int {
			l.Push(lua.LTrue)
			return 1
		},
		"set_repl": func(*lua.LState) int { return 0 },
	})
	for i, level := range []string{"LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"} {
		api.RawSetString(level, lua.LNumber(i))
	}
	api.RawSetString("REDIS_VERSION", lua.LString(serverVersion))
	l.SetGlobal("redis", api)
	l.SetGlobal("cjson", newJSON(l))
	protectGlobals(l)
	return l
}

func protectGlobals(l *lua.LState) {
	meta := l.SetFuncs(l.NewTable(), map[string]lua.LGFunction{
		"__index": func(l *lua.LState) int {
			l.RaiseError("Script attempted to access nonexistent global variable '%s'", luaText(l.Get(2)))
			return 0
		},
		"__newindex": func(l *lua.LState) int {
			l.RaiseError("Attempt to modify a readonly table")
			return 0
		},
	})
	l.SetMetatable(l.Get(lua.GlobalsIndex), meta)
}

func luaStrings(l *lua.LState, list []string) *lua.LTable {
	table := l.CreateTable(len(list), 0)
	for _, s := range list {
		table.Append(lua.LString(s))
	}
	return table
}

func (run *scriptRun) setResp(l *lua.LState) int {
	version, ok := l.Get(1).(lua.LNumber)
	if l.GetTop() != 1 {
		return raise(l, "ERR redis.setresp() requires one argument.")
	}
	if !ok || version != 2 && version != 3 {
		return raise(l, "ERR RESP version must be 2 or 3.")
	}
	run.resp3 = version == 3
	return 0
}

// luaReply makes a table with one field, of the only argument.
func luaReply(l *lua.LState, field string, text func(string) string) int {
	if s, ok := l.Get(1).(lua.LString); ok && l.GetTop() == 1 {
		return luaField(l, field, text(string(s)))
	}
	return luaField(l, "err", "ERR wrong number or type of arguments")
}

// luaField returns a table with one field.
func luaField(l *lua.LState, field, text string) int {
	table := l.NewTable()
	table.RawSetString(field, lua.LString(text))
	l.Push(table)
	return 1
}

// luaError is error, which gopher-lua wants to have a value, and which takes numbers for text.
func luaError(l *lua.LState) int {
	level := l.OptInt(2, 1)
	switch value := l.Get(1).(type) {
	case lua.LString, lua.LNumber:
		throw(l, luaText(value), level)
	default:
		l.Error(value, 0)
	}
	return 0
}

// throw throws a text behind the position of the caller at level: of a script, for functions of Go have none.
func throw(l *lua.LState, text string, level int) {
	if where := l.Where(level); level > 0 && scriptLine.MatchString(where) {
		text = where + " " + text
	}
	l.Error(lua.LString(text), 0)
}

// luaPCall is pcall, which hands back the text of an error of a command.
func luaPCall(pcall lua.LValue) lua.LGFunction {
	return func(l *lua.LState) int {
		l.Insert(pcall, 1)
		l.Call(l.GetTop()-1, lua.MultRet)
		if thrown, ok := l.Get(2).(*lua.LTable); ok && l.Get(1) == lua.LFalse {
			if text, ok := thrown.RawGetString("err").(lua.LString); ok {
				l.Replace(2, text)
			}
		}
		return l.GetTop()
	}
}

// raise throws an error that has no position in its text, but knows it.
func raise(l *lua.LState, text string) int {
	reply := l.NewTable()
	reply.RawSetString("err", lua.LString(text))
	l.Error(reply, 1)
	return 0
}

// call runs a command; an error is thrown, or else returned.
func (run *scriptRun) call(l *lua.LState, throws bool) int {
	args, refusal := luaArguments(l)
	reply := resp.Value{Kind: resp.SimpleError, Str: refusal}
	if refusal == "" {
		reply, _ = resp.Decode(run.conn.cluster.answerInScript(run, newRequest(args))) // which is whole
	}
	if reply.Kind == resp.SimpleError && throws {
		return raise(l, reply.Str)
	}
	l.Push(run.toLua(l, reply))
	return 1
}

func luaArguments(l *lua.LState) (args []string, refusal string) {
	for i := 1; i <= l.GetTop(); i++ {
		switch arg := l.Get(i).(type) {
		case lua.LString:
			args = append(args, string(arg))
		case lua.LNumber:
			args = append(args, formatNumber(float64(arg), 17))
		default:
			return nil, "ERR Lua redis lib command arguments must be strings or integers"
		}
	}
	if len(args) == 0 {
		return nil, "ERR Please specify at least one argument for this redis lib call"
	}
	return args, ""
}

// luaToString is tostring, which prints no more than 14 digits.
func luaToString(l *lua.LState) int {
	l.CheckAny(1)
	switch value := l.Get(1).(type) {
	case lua.LNumber:
		l.Push(lua.LString(formatNumber(float64(value), 14)))
	case *lua.LUserData:
		l.Push(lua.LString("userdata: (nil)")) // which is cjson.null: there is no other
	default:
		l.Push(l.ToStringMeta(value))
	}
	return 1
}

// luaText is what a string or a number is as a string.
func luaText(v lua.LValue) string {
	if n, ok := v.(lua.LNumber); ok {
		return formatNumber(float64(n), 14)
	}
	return lua.LVAsString(v)
}

// formatNumber is %.*g of C.
func formatNumber(f float64, digits int) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f) && math.Signbit(f):
		return "-nan"
	case math.IsNaN(f):
		return "nan"
	}
	return fmt.Sprintf("%.*g", digits, f)
}

// scriptLine is where a script failed, in front of what it failed with.
var scriptLine = regexp.MustCompile(`^user_script:(\d+):`)

// failure is what a server answers when a script ends with an error.
func failure(object lua.LValue, line, sha string) string {
	text := "ERR " + object.String()
	if table, ok := object.(*lua.LTable); ok {
		text = luaText(table.RawGetString("err"))
	} else if m := scriptLine.FindStringSubmatch(luaText(object)); m != nil {
		line = m[1]
	}
	if line == "" {
		return fmt.Sprintf("%s script: %s", text, sha)
	}
	return fmt.Sprintf("%s script: %s, on @user_script:%s.", text, sha, line)
}

// lineOf is the line of the script that runs in l.
func lineOf(l *lua.LState) string {
	for level := range 8 {
		if m := scriptLine.FindStringSubmatch(l.Where(level)); m != nil {
			return m[1]
		}
	}
	return ""
}

// toLua converts what a command answered.
func (run *scriptRun) toLua(l *lua.LState, v resp.Value) lua.LValue {
	field := func(name string, value lua.LValue) lua.LValue {
		table := l.NewTable()
		table.RawSetString(name, value)
		return table
	}
	list := func() *lua.LTable {
		table := l.CreateTable(len(v.Elems), 0)
		for i, e := range v.Elems {
			table.RawSetInt(i+1, run.toLua(l, e))
		}
		return table
	}
	switch v.Kind {
	case resp.Integer:
		return lua.LNumber(v.Int)
	case resp.SimpleString:
		return field("ok", lua.LString(v.Str))
	case resp.SimpleError:
		return field("err", lua.LString(v.Str))
	case resp.Null:
		if run.resp3 {
			return lua.LNil
		}
		return lua.LFalse
	case resp.Array:
		return list()
	case resp.Double:
		return field("double", lua.LNumber(v.Float))
	case resp.Map:
		pairs := l.NewTable()
		for i := 0; i+1 < len(v.Elems); i += 2 {
			pairs.RawSet(run.toLua(l, v.Elems[i]), run.toLua(l, v.Elems[i+1]))
		}
		return field("map", pairs)
	case resp.Set:
		members := l.NewTable()
		for _, e := range v.Elems {
			members.RawSet(run.toLua(l, e), lua.LTrue)
		}
		return field("set", members)
	default:
		return lua.LString(v.Str)
	}
}

// maxAnswerDepth ends the reply of a table that contains itself.
const maxAnswerDepth = 1000

// answer converts what the script returned.
func (run *scriptRun) answer(out *replies, v lua.LValue) {
	run.depth++
	defer func() { run.depth-- }()
	if run.depth > maxAnswerDepth {
		out.error("ERR reached lua stack limit")
		return
	}
	switch v := v.(type) {
	case lua.LString:
		out.bulk(string(v))
	case lua.LNumber:
		out.int(int64(v))
	case lua.LBool:
		switch {
		case run.resp3 && out.resp3:
			out.buf = resp.AppendBool(out.buf, bool(v))
		case bool(v):
			out.int(1)
		case run.resp3:
			out.int(0)
		default:
			out.null()
		}
	case *lua.LTable:
		run.answerTable(out, v)
	default:
		out.null()
	}
}

// answerTable knows the tables with one field that stand for something else than a list.
func (run *scriptRun) answerTable(out *replies, table *lua.LTable) {
	if text, ok := table.RawGetString("err").(lua.LString); ok {
		out.error(strings.TrimPrefix(string(text), "-"))
	} else if text, ok := table.RawGetString("ok").(lua.LString); ok {
		out.simple(string(text))
	} else if number, ok := table.RawGetString("double").(lua.LNumber); ok {
		out.buf = resp.AppendValue(out.buf, resp.Value{Kind: resp.Double, Float: float64(number)}, out.version())
	} else if pairs, ok := table.RawGetString("map").(*lua.LTable); ok {
		out.mapOf(countPairs(pairs))
		pairs.ForEach(func(key, value lua.LValue) {
			run.answer(out, key)
			run.answer(out, value)
		})
	} else if members, ok := table.RawGetString("set").(*lua.LTable); ok {
		out.set(countPairs(members))
		members.ForEach(func(key, _ lua.LValue) { run.answer(out, key) })
	} else {
		run.answerList(out, table)
	}
}

// answerList ends at the first nil.
func (run *scriptRun) answerList(out *replies, list *lua.LTable) {
	count := 0
	for list.RawGetInt(count+1) != lua.LNil {
		count++
	}
	out.array(count)
	for i := range count {
		run.answer(out, list.RawGetInt(i+1))
	}
}

func countPairs(table *lua.LTable) (count int) {
	table.ForEach(func(_, _ lua.LValue) { count++ })
	return count
}

// countKeys splits what follows a script: the number of keys, keys and other arguments.
func countKeys(args []string) (keys, rest []string, refusal string) {
	count, err := strconv.Atoi(args[0])
	switch {
	case err != nil:
		return nil, nil, errNoInteger
	case count > len(args)-1:
		return nil, nil, "ERR Number of keys can't be greater than number of args"
	case count < 0:
		return nil, nil, "ERR Number of keys can't be negative"
	}
	return args[1 : 1+count], args[1+count:], ""
}
