package client_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/keyslot-go/keyslot"
	"github.com/keyslot-go/keyslot/examples/bench/internal/client"
)

func TestThePasswordComesFromTheEnvironmentAlone(t *testing.T) {
	t.Setenv(client.PasswordVariable, "secret")
	target := client.Target{Endpoint: "cache.internal:6379", TLS: true, User: "app"}
	require.NoError(t, target.Check())
	opts, err := target.Options(t.Context())
	require.NoError(t, err)
	require.Equal(t, "app", opts.Username)
	require.Equal(t, "secret", opts.Password)
	require.NotNil(t, opts.TLS)

	sent, err := json.Marshal(target)
	require.NoError(t, err)
	require.NotContains(t, string(sent), "secret", "it does not go through pipes")
}

func TestIAMSignsATokenForEachConnection(t *testing.T) {
	t.Setenv(client.PasswordVariable, "")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	target := client.Target{Endpoint: "clustercfg.orders.abc123.use1.cache.amazonaws.com:6379", User: "app", IAM: true}
	require.NoError(t, target.Check())
	opts, err := target.Options(t.Context())
	require.NoError(t, err)
	user, token, err := opts.Credentials(t.Context(), keyslot.Node{})
	require.NoError(t, err)
	require.Equal(t, "app", user)
	require.True(t, strings.HasPrefix(token, "orders/?Action=connect&User=app&"), token)
	require.NotNil(t, opts.TLS)
}
