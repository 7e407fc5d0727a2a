module github.com/keyslot-go/keyslot/examples/lambda

go 1.26

replace github.com/keyslot-go/keyslot => ../../

replace github.com/keyslot-go/keyslot/elasticache => ../../elasticache

require (
	github.com/aws/aws-lambda-go v1.55.1
	github.com/aws/aws-sdk-go-v2 v1.47.7
	github.com/awslabs/goformation/v7 v7.14.9
	github.com/keyslot-go/keyslot v0.0.0
	github.com/keyslot-go/keyslot/elasticache v0.0.0
	github.com/santhosh-tekuri/jsonschema/v6 v6.0.2
	github.com/stretchr/testify v1.12.1
	go.yaml.in/yaml/v3 v3.0.5
)

require (
	github.com/alicebob/miniredis/v2 v2.40.0 // indirect
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.20.7 // indirect
	github.com/aws/smithy-go v1.28.8 // indirect
	github.com/cenkalti/backoff/v4 v4.3.0 // indirect
	github.com/sigurn/crc16 v0.0.0-20211026045750-20ab5afb07e3 // indirect
	github.com/yuin/gopher-lua v1.1.1 // indirect
	golang.org/x/text v0.14.0 // indirect
)
