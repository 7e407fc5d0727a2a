module github.com/keyslot-go/keyslot/internal/chaos

go 1.25.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/keyslot-go/keyslot v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/sigurn/crc16 v0.0.0-20211026045750-20ab5afb07e3 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
)

replace github.com/keyslot-go/keyslot => ../..
