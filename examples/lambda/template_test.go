package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/awslabs/goformation/v7/schema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// attributes are what Fn::GetAtt may ask for, of the types in the template (AWS CloudFormation Template Reference,
// "Return values" of each type): the schema has none of them.
var attributes = map[string][]string{
	"AWS::EC2::SecurityGroup":            {"GroupId", "VpcId"},
	"AWS::IAM::Role":                     {"Arn", "RoleId"},
	"AWS::ElastiCache::ReplicationGroup": {"ConfigurationEndPoint.Address", "ConfigurationEndPoint.Port", "PrimaryEndPoint.Address"},
}

// pseudo are the parameters that every template has.
var pseudo = []string{"AWS::AccountId", "AWS::Partition", "AWS::Region"}

// template is a CloudFormation template whose functions have been replaced by values of the type that they will have.
type template struct {
	Parameters map[string]struct {
		Type    string `yaml:"Type"`
		Default any    `yaml:"Default"`
	} `yaml:"Parameters"`
	Resources map[string]map[string]any `yaml:"Resources"`

	problems []string
}

// check returns what is wrong with a template: what the schema says of each resource, and references that lead nowhere.
func (c *catalog) check(t *testing.T, text string) []string {
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(text), &document))
	var tm template
	require.NoError(t, document.Decode(&tm)) // the names that references may lead to
	resolved := tm.value(document.Content[0])
	tm.problems = append(tm.problems, c.refuse(t, resolved.(map[string]any)["Resources"].(map[string]any))...)
	slices.Sort(tm.problems)
	return tm.problems
}

// value returns what a node stands for. Functions become what they return.
func (tm *template) value(n *yaml.Node) any {
	switch n.Tag {
	case "!Ref":
		return tm.ref(n.Value)
	case "!GetAtt":
		return tm.attribute(n.Value)
	case "!Sub":
		for _, name := range regexp.MustCompile(`\$\{([^}]+)\}`).FindAllStringSubmatch(n.Value, -1) {
			if strings.Contains(name[1], ".") {
				tm.attribute(name[1])
			} else {
				tm.ref(name[1])
			}
		}
		return n.Value
	case "!GetAZs":
		return []any{"us-east-1a", "us-east-1b"}
	case "!Select":
		index, err := strconv.Atoi(n.Content[0].Value)
		list, ok := tm.value(n.Content[1]).([]any)
		if err != nil || !ok || index >= len(list) {
			tm.problems = append(tm.problems, "!Select of nothing")
			return nil
		}
		return list[index]
	}
	switch n.Kind {
	case yaml.MappingNode:
		values := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			values[n.Content[i].Value] = tm.value(n.Content[i+1])
		}
		return values
	case yaml.SequenceNode:
		values := []any{}
		for _, element := range n.Content {
			values = append(values, tm.value(element))
		}
		return values
	}
	var scalar any
	if strings.HasPrefix(n.Tag, "!") && !strings.HasPrefix(n.Tag, "!!") {
		tm.problems = append(tm.problems, "unknown function "+n.Tag)
	}
	_ = n.Decode(&scalar) // a scalar is always one
	return scalar
}

func (tm *template) ref(name string) any {
	if parameter, ok := tm.Parameters[name]; ok {
		if parameter.Type == "Number" {
			return parameter.Default
		}
		return name
	}
	if tm.Resources[name] == nil && !slices.Contains(pseudo, name) {
		tm.problems = append(tm.problems, fmt.Sprintf("%s is referred to, and is not there", name))
	}
	return name
}

func (tm *template) attribute(path string) any {
	name, attribute, _ := strings.Cut(path, ".")
	kind, _ := tm.Resources[name]["Type"].(string)
	if !slices.Contains(attributes[kind], attribute) {
		tm.problems = append(tm.problems, fmt.Sprintf("%s has no attribute %s", name, attribute))
	}
	return path
}

// catalog is the CloudFormation schema.
type catalog struct {
	Definitions map[string]json.RawMessage // each type, and each kind of property, by name
	compiled    map[string]*jsonschema.Schema
}

func load(t *testing.T) *catalog {
	c := &catalog{compiled: map[string]*jsonschema.Schema{}}
	require.NoError(t, json.Unmarshal([]byte(schema.CloudformationSchema), c))
	return c
}

// reference finds the references within a definition.
var reference = regexp.MustCompile(`"#/definitions/([^"]+)"`)

// of returns the schema of one type, with what it refers to and nothing else: the whole takes seconds to compile. nil:
// there is no such type.
func (c *catalog) of(t *testing.T, kind string) *jsonschema.Schema {
	all := c.Definitions
	if c.compiled[kind] != nil || all[kind] == nil {
		return c.compiled[kind]
	}
	needed := map[string]json.RawMessage{}
	for left := []string{kind}; len(left) > 0; left = left[1:] {
		name := left[0]
		if needed[name] != nil {
			continue
		}
		needed[name] = all[name]
		for _, to := range reference.FindAllStringSubmatch(string(all[name]), -1) {
			left = append(left, to[1])
		}
	}
	text, err := json.Marshal(map[string]any{"$ref": "#/definitions/" + kind, "definitions": needed})
	require.NoError(t, err)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft4) // as the whole says of itself
	require.NoError(t, compiler.AddResource("schema.json", document))
	c.compiled[kind], err = compiler.Compile("schema.json")
	require.NoError(t, err)
	return c.compiled[kind]
}

// refuse returns what the CloudFormation schema says against resources.
func (c *catalog) refuse(t *testing.T, resources map[string]any) (problems []string) {
	for name, resource := range resources {
		kind, _ := resource.(map[string]any)["Type"].(string)
		of := c.of(t, kind)
		if of == nil {
			problems = append(problems, fmt.Sprintf("%s: no type %s", name, kind))
			continue
		}
		text, err := json.Marshal(resource)
		require.NoError(t, err)
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		require.NoError(t, err)
		if err := of.Validate(instance); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", name, err))
		}
	}
	return problems
}

func read(t *testing.T) string {
	text, err := os.ReadFile("template.yaml")
	require.NoError(t, err)
	return string(text)
}

func TestTemplateKeepsToTheSchema(t *testing.T) {
	require.Empty(t, load(t).check(t, read(t)))
}

// A check that cannot fail proves nothing.
func TestTemplateThatIsWrongIsFound(t *testing.T) {
	text, c := read(t), load(t)
	for _, test := range []struct{ right, wrong, problem string }{
		{"MultiAZEnabled: true", "MultiAzEnabled: true", "MultiAzEnabled"},
		{"MemorySize: 256", "MemorySize: a lot", "MemorySize"},
		{"Type: AWS::ElastiCache::SubnetGroup", "Type: AWS::ElastiCache::Subnets", "no type"},
		{"GroupDescription: the function", "Description: the function", "GroupDescription"},
		{"!Ref CacheSubnets", "!Ref CacheSubnet", "CacheSubnet is referred to"},
		{"!GetAtt FunctionRole.Arn", "!GetAtt FunctionRole.Name", "no attribute Name"},
		{"${CacheId}-users", "${Id}-users", "Id is referred to"},
		{"!Ref CacheUserId", "!Reference CacheUserId", "unknown function"},
		{"S3Key: ", "S3Keys: ", "S3Keys"},
	} {
		require.True(t, strings.Contains(text, test.right), test.right)
		problems := c.check(t, strings.Replace(text, test.right, test.wrong, 1))
		require.NotEmpty(t, problems, test.wrong)
		require.Contains(t, strings.Join(problems, "\n"), test.problem)
	}
}

// What makes the cluster one that survives a zone, and a login one that is accepted.
func TestTemplateSaysWhatItMust(t *testing.T) {
	var document struct {
		Resources map[string]struct {
			Type       string         `yaml:"Type"`
			Properties map[string]any `yaml:"Properties"`
		} `yaml:"Resources"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t)), &document))
	cluster := document.Resources["Cache"]
	require.Equal(t, "AWS::ElastiCache::ReplicationGroup", cluster.Type)
	for property, want := range map[string]any{
		"AutomaticFailoverEnabled": true, "MultiAZEnabled": true, "TransitEncryptionEnabled": true,
		"CacheParameterGroupName": "default.valkey8.cluster.on", "NumNodeGroups": "Shards", "ReplicasPerNodeGroup": "ReplicasPerShard",
	} {
		require.Equal(t, want, cluster.Properties[property], property)
	}
	user := document.Resources["CacheUser"].Properties
	require.Equal(t, user["UserId"], user["UserName"], "IAM wants them to be the same")
	require.Equal(t, map[string]any{"Type": "iam"}, user["AuthenticationMode"])
	program := document.Resources["Function"].Properties
	require.Equal(t, "provided.al2023", program["Runtime"])
	require.Contains(t, program, "ReservedConcurrentExecutions")
	variables := program["Environment"].(map[string]any)["Variables"].(map[string]any)
	for _, name := range []string{"CONFIGURATION_ENDPOINT_ADDRESS", "REDIS_PORT", "CACHE_TLS", "CACHE_USER", "RESERVED_CONCURRENCY"} {
		require.Contains(t, variables, name)
	}
	policy, err := json.Marshal(document.Resources["FunctionRole"].Properties["Policies"])
	require.NoError(t, err)
	require.Contains(t, string(policy), "elasticache:Connect")
	require.Contains(t, string(policy), ":replicationgroup:${CacheId}")
	require.Contains(t, string(policy), ":user:${CacheUserId}")
}
