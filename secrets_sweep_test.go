package keyslot_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/command"
	"github.com/keyslot-go/keyslot/internal/fakenode"
)

// quotingServers are what servers answer, by what they make of the arguments: many quote them.
var quotingServers = map[string]func(r fakenode.Request) fakenode.Reaction{
	"unknown command": func(r fakenode.Request) fakenode.Reaction {
		return says("-ERR unknown command '%s', with args beginning with: '%s' ", r.Args[0], strings.Join(r.Args[1:], "' '"))
	},
	"an older unknown command": func(r fakenode.Request) fakenode.Reaction {
		return says("-ERR unknown command `%s`, with args beginning with: `%s`, ", r.Args[0], strings.Join(r.Args[1:], "`, `"))
	},
	"an unknown subcommand": func(r fakenode.Request) fakenode.Reaction {
		return says("-ERR unknown subcommand '%.5s'. Try %s HELP.", r.Args[len(r.Args)-1], r.Args[0])
	},
	"no such group": func(r fakenode.Request) fakenode.Reaction {
		return says("-NOGROUP No such key '%s' or consumer group '%s'", marker(r), marker(r))
	},
	"an argument without quotes": func(r fakenode.Request) fakenode.Reaction { return says("-ERR Unknown node %s", marker(r)) },
	"no permission": func(r fakenode.Request) fakenode.Reaction {
		return says("-NOPERM User app has no permissions to access the '%s' key", marker(r))
	},
	"a script that does not compile": func(fakenode.Request) fakenode.Reaction {
		return says("-ERR Error compiling script (new function): user_script:1: '=' expected near '%s'", secret)
	},
	"a cluster that is down": func(fakenode.Request) fakenode.Reaction { return says("-CLUSTERDOWN for '%s'", secret) },
	"malformed":              func(fakenode.Request) fakenode.Reaction { return says("$3\r\n%s", secret) },
	"another type":           func(fakenode.Request) fakenode.Reaction { return says("*2\r\n$10\r\n%s\r\n%%1\r\n:1\r\n:2", secret) },
	"hanging up":             func(fakenode.Request) fakenode.Reaction { return reset },
}

// marker returns the first argument with the marker.
func marker(r fakenode.Request) string {
	return r.Args[slices.IndexFunc(r.Args, func(arg string) bool { return strings.Contains(arg, secret) })]
}

// Every typed method, called and queued, with a marker in place of all texts: what it says of a failure has no marker.
func TestNoTypedMethodTellsItsArguments(t *testing.T) {
	for name, answer := range quotingServers {
		t.Run(name, func(t *testing.T) {
			var log lockedBuffer
			opts := keyslot.Options{CommandTimeout: 100 * time.Millisecond, Logger: slog.New(slog.NewJSONHandler(&log, nil)), Trace: log.trace()}
			story(t, opts, func(t *testing.T, s *stage) {
				for _, node := range []*fakenode.Node{s.lower, s.upper} {
					node.Handle(func(r fakenode.Request) (fakenode.Reaction, bool) {
						if !strings.Contains(strings.Join(r.Args, " "), secret) {
							return fakenode.Reaction{}, false
						}
						return answer(r), true
					})
				}
				client := s.client.On(keyslot.ToKey(low)) // so that what is for all nodes runs, too
				called := 0
				for method, call := range methodsOf(client) {
					out := call.Call(marked(call.Type(), t.Context()))
					if err, _ := out[len(out)-1].Interface().(error); err != nil {
						called++
						tells(t, method, name, err)
					}
				}
				require.Greater(t, called, 150)
				queueEach(t, client.Pipeline(), name)
				require.NotEmpty(t, log.String())
				hides(t, log.String())
			})
		})
	}
}

// queueEach does the same for what can be queued.
func queueEach(t *testing.T, p *keyslot.Pipeline, server string) {
	futures := map[string]reflect.Value{}
	methods := methodsOf(p)
	for _, method := range slices.Sorted(maps.Keys(methods)) { // the first, which Exec names, is no script
		futures[method] = methods[method].Call(marked(methods[method].Type(), nil))[0]
	}
	tells(t, "Exec", server, p.Exec(t.Context()))
	for method, future := range futures {
		err, _ := future.MethodByName("Err").Call(nil)[0].Interface().(error)
		tells(t, method, server, err)
	}
	require.Greater(t, len(futures), 150)
}

// tells requires that an error shows no marker.
func tells(t *testing.T, method, server string, err error) {
	t.Helper()
	isScript := strings.HasPrefix(method, "Eval") || strings.HasPrefix(method, "FCall")
	if isScript && server != "a script that does not compile" && server != "malformed" {
		return // its errors are its own words
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(verb, err); strings.Contains(text, secret) || strings.Contains(text, secret[:5]) {
			t.Errorf("%s: "+verb, method, err)
		}
	}
}

// methodsOf returns the typed methods of a client or a pipeline: those of package command.
func methodsOf(v any) map[string]reflect.Value {
	typed := reflect.TypeFor[command.Commands]()
	if _, ok := v.(*keyslot.Pipeline); ok {
		typed = reflect.TypeFor[*command.Queued]()
	}
	methods := map[string]reflect.Value{}
	for i := range typed.NumMethod() {
		name := typed.Method(i).Name
		if m := reflect.ValueOf(v).MethodByName(name); m.IsValid() {
			methods[name] = m
		}
	}
	return methods
}

// marked returns arguments for a function: ctx, and the marker wherever a text can be. Options are left out.
func marked(of reflect.Type, ctx context.Context) (args []reflect.Value) {
	for i := range of.NumIn() {
		in := of.In(i)
		last := of.IsVariadic() && i == of.NumIn()-1
		switch {
		case in == reflect.TypeFor[context.Context]():
			args = append(args, reflect.ValueOf(ctx))
		case last && in.Elem().Kind() == reflect.Interface:
		case last:
			args = append(args, mark(in.Elem()), mark(in.Elem()))
		default:
			args = append(args, mark(in))
		}
	}
	return args
}

// mark returns a value of a type that holds the marker, or else one.
func mark(of reflect.Type) reflect.Value {
	v := reflect.New(of).Elem()
	switch of.Kind() {
	case reflect.String:
		v.SetString("{" + low + "}" + secret)
	case reflect.Slice:
		if of.Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(secret))
			break
		}
		v = reflect.Append(v, mark(of.Elem()), mark(of.Elem()))
	case reflect.Map:
		v = reflect.MakeMap(of)
		v.SetMapIndex(mark(of.Key()), mark(of.Elem()))
	case reflect.Struct:
		if of == reflect.TypeFor[time.Time]() {
			return reflect.ValueOf(time.Unix(4102444800, 0))
		}
		for i := range of.NumField() {
			if of.Field(i).IsExported() {
				v.Field(i).Set(mark(of.Field(i).Type))
			}
		}
	case reflect.Int64, reflect.Int:
		v.SetInt(1)
		if of == reflect.TypeFor[time.Duration]() {
			v.SetInt(int64(time.Second))
		}
	case reflect.Uint64, reflect.Uint32, reflect.Uint16, reflect.Uint8, reflect.Uint:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Bool:
		v.SetBool(true)
	}
	return v
}
