package late

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		outcome       string
		before, after []string
		want          Result
	}{
		"answered":             {answered, []string{"w"}, []string{"w", newer}, Result{Answered: 1}},
		"lost":                 {unknown, nil, []string{newer}, Result{Unknown: 1}},
		"run in time":          {unknown, []string{"w"}, []string{"w", newer}, Result{Unknown: 1}},
		"never sent":           {notExecuted, nil, []string{newer}, Result{NotExecuted: 1}},
		"never sent, and run":  {notExecuted, []string{"w"}, []string{"w", newer}, Result{NotExecuted: 1, Unsound: 1}},
		"late":                 {unknown, nil, []string{"w", newer}, Result{Unknown: 1, Late: 1}},
		"overtaken":            {unknown, nil, []string{newer, "w"}, Result{Unknown: 1, Late: 1, Overtaken: 1}},
		"run again":            {unknown, []string{"w"}, []string{"w", newer, "w"}, Result{Unknown: 1, Twice: 1}},
		"never sent, and late": {notExecuted, nil, []string{newer, "w"}, Result{NotExecuted: 1, Unsound: 1, Late: 1, Overtaken: 1}},
	} {
		var got Result
		got.compare(writes{{Key: "k", ID: "w", Outcome: tc.outcome}}, lists{"k": tc.before}, lists{"k": tc.after})
		tc.want.Writes = 1
		require.Equal(t, tc.want, got, name)
	}
}
