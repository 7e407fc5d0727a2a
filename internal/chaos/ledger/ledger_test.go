package ledger

import _ "github.com/stretchr/testify/require"
