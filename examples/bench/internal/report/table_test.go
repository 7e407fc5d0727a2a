package report

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot/examples/bench/internal/record"
)

// told is a run whose figures are all different.
func told() record.Run {
	reads := record.Latency{Count: 8000, P50: 100, P90: 200, P95: 300, P99: 400, Max: 12_500}
	writes := record.Latency{Count: 2000, P50: 110, P90: 210, P95: 310, P99: 410, Max: 1_234_567}
	return record.Run{
		Client: "keyslot", Version: "v1", Conns: "reuse", Duration: 10, Reads: reads, Writes: writes,
		Errors: []record.Error{{Text: "reset", Count: 4}, {Text: "CLUSTERDOWN", Count: 6}},
		Phases: []record.Phase{{Name: "kill", Seconds: 2, Reads: reads, Errors: 10},
			{Name: "kill", At: 5, Seconds: 1, Writes: writes}},
		Usage: record.Usage{AllocsPerOp: 1.25, BytesPerOp: 6400, Dials: -1, Conns: 4},
	}
}

func TestTablesSayWhatWasMeasured(t *testing.T) {
	all := group([]record.Run{told()})
	for name, c := range map[string]struct {
		table table
		want  [][]string
	}{
		"whole": {wholeTable(all), [][]string{
			{"keyslot", "0.100", "0.300", "0.400", "12.50", "0.110", "0.310", "0.410", "1,235", "1,000", "10", "10,010"}}},
		"phases": {phaseTable(all), [][]string{
			{"kill", "keyslot", "0.100", "0.300", "0.400", "12.50", "–", "–", "–", "–", "4,000", "10"},
			{"kill (2)", "keyslot", "–", "–", "–", "–", "0.110", "0.310", "0.410", "1,235", "2,000", "0"}}},
		"errors": {errorTable(all), [][]string{
			{"keyslot", "CLUSTERDOWN", "6", "0.0599 %"}, {"keyslot", "reset", "4", "0.04 %"}}},
		"usage": {usageTable(all), [][]string{{"keyslot", "v1", "–", "1.25", "6,400", "–", "4"}}},
	} {
		t.Run(name, func(t *testing.T) {
			var got [][]string
			for _, r := range c.table.Rows {
				require.Len(t, r.Cells, len(c.table.Columns))
				got = append(got, texts(r))
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestWhatAnOperationCostIsNotKnownWhereNoneEnded(t *testing.T) {
	failed, fine := told(), told()
	failed.Usage = record.Usage{Dials: 1, Conns: 1}
	fine.Usage.CPUPerOp = 12
	require.Equal(t, []string{"–", "–", "–"}, texts(usageTable(group([]record.Run{failed})).Rows[0])[2:5])
	require.Equal(t, "–", texts(spreadTable(group([]record.Run{failed, failed})).Rows[0])[5])
	require.Equal(t, "12 (12 to 12)", texts(spreadTable(group([]record.Run{failed, fine})).Rows[0])[5])
}

func texts(r row) []string {
	var all []string
	for _, c := range r.Cells {
		all = append(all, plain(c.Text))
	}
	return all
}

func TestCurvesLieWhereTheirValuesAre(t *testing.T) {
	p := &plot{height: 100, time: timeScale(10), value: linear(500, manyTicks)}
	p.line("x", "x", []point{{0, 2, 0, false}, {2, 2, 250, false}, {4, 2, 0, true}, {6, 2, 500, false}, {8, 2, 0, true}})
	require.Contains(t, p.String(), `d="M100 100L300 50M600 0H800"`)
}
