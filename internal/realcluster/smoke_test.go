package realcluster_test

import (
	"testing"
	"time"

	"github.com/keyslot-go/keyslot/internal/realcluster"
)

func TestSmoke(t *testing.T) {
	realcluster.ForEach(t, func(t *testing.T, e realcluster.Engine) {
		at := time.Now()
		c := realcluster.Start(t, realcluster.Options{Engine: e.Name, Replicas: 1})
		t.Log(e.Version, time.Since(at))
		_ = c
	})
}
