package cfntest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// later stands in change sets for what is known only when they are executed.
const later = "{{changeSet:KNOWN_AFTER_APPLY}}"

// masked stands for what a parameter with NoEcho holds.
const masked = "****"

// document is a template as the server reads it.
type document struct {
	parameters map[string]declared
	conditions map[string]any
	mappings   map[string]any
	resources  map[string]definition
	outputs    map[string]any
}

type declared struct {
	Type          string
	Default       *string
	NoEcho        bool
	AllowedValues []string
	Pattern       string
}

type definition struct {
	Type, Condition, DeletionPolicy string
	DependsOn                       []string
	Properties                      map[string]any
}

// kind is a type of resource that the server can build: which of its properties replace it.
type kind struct {
	replace    []string
	properties []string
	// physical is the property that names the resource; empty: the server makes a name.
	physical string
	iam      bool
}

// kinds are all types that the server knows, with the properties that it takes.
var kinds = map[string]kind{
	"AWS::SSM::Parameter":                      {replace: []string{"Name"}, properties: []string{"Name", "Type", "Value", "Description"}, physical: "Name"},
	"AWS::S3::Bucket":                          {replace: []string{"BucketName"}, properties: []string{"BucketName", "Tags", "VersioningConfiguration"}, physical: "BucketName"},
	"AWS::SNS::Topic":                          {replace: []string{"TopicName"}, properties: []string{"TopicName", "DisplayName", "Tags"}, physical: "TopicName"},
	"AWS::SecretsManager::Secret":              {replace: []string{"Name"}, properties: []string{"Name", "SecretString", "Description"}, physical: "Name"},
	"AWS::IAM::Role":                           {replace: []string{"RoleName"}, properties: []string{"RoleName", "AssumeRolePolicyDocument", "Policies"}, physical: "RoleName", iam: true},
	"AWS::CloudFormation::WaitConditionHandle": {},
}

func validation(format string, args ...any) *apiError {
	return &apiError{Status: 400, Code: "ValidationError", Message: fmt.Sprintf(format, args...)}
}

// parse reads a template.
func parse(raw string) (document, error) {
	d := document{parameters: map[string]declared{}, conditions: map[string]any{}, mappings: map[string]any{}, resources: map[string]definition{}, outputs: map[string]any{}}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(raw), &node); err != nil || len(node.Content) == 0 {
		return d, validation("Template format error: YAML not well-formed.")
	}
	value, err := plain(node.Content[0])
	if err != nil {
		return d, err
	}
	top, ok := value.(map[string]any)
	if !ok {
		return d, validation("Template format error: unsupported structure.")
	}
	for name, v := range top {
		switch name {
		case "AWSTemplateFormatVersion", "Description", "Metadata":
		case "Parameters":
			if err := d.readParameters(v); err != nil {
				return d, err
			}
		case "Conditions":
			d.conditions, _ = v.(map[string]any)
		case "Mappings":
			d.mappings, _ = v.(map[string]any)
		case "Outputs":
			d.outputs, _ = v.(map[string]any)
		case "Resources":
			if err := d.readResources(v); err != nil {
				return d, err
			}
		default:
			return d, validation("cfntest: the section %s is not supported", name)
		}
	}
	if len(d.resources) == 0 {
		return d, validation("Template format error: At least one Resources member must be defined.")
	}
	return d, nil
}

// plain turns a node into maps, lists and scalars, with the short forms of functions as the long ones.
func plain(n *yaml.Node) (any, error) {
	var value any
	switch n.Kind {
	case yaml.AliasNode:
		return nil, validation("Template error: YAML aliases are not allowed in CloudFormation templates")
	case yaml.MappingNode:
		object := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			member, err := plain(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			object[n.Content[i].Value] = member
		}
		value = object
	case yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			item, err := plain(c)
			if err != nil {
				return nil, err
			}
			list = append(list, item)
		}
		value = list
	default:
		switch n.Tag {
		case "!!bool":
			value = strings.EqualFold(n.Value, "true")
		case "!!int", "!!float":
			value = json.Number(n.Value)
		case "!!null":
			value = nil
		default:
			value = n.Value
		}
	}
	if !strings.HasPrefix(n.Tag, "!") || strings.HasPrefix(n.Tag, "!!") {
		return value, nil
	}
	name := strings.TrimPrefix(n.Tag, "!")
	switch name {
	case "Ref", "Condition":
		return map[string]any{name: value}, nil
	case "GetAtt":
		if s, ok := value.(string); ok {
			resource, attribute, _ := strings.Cut(s, ".")
			value = []any{resource, attribute}
		}
	}
	return map[string]any{"Fn::" + name: value}, nil
}

func (d *document) readParameters(v any) error {
	all, _ := v.(map[string]any)
	for name, p := range all {
		object, _ := p.(map[string]any)
		one := declared{Type: fmt.Sprint(object["Type"]), NoEcho: fmt.Sprint(object["NoEcho"]) == "true"}
		if object["Type"] == nil {
			return validation("Template format error: Every Parameters member must contain a Type key.")
		}
		if v, has := object["Default"]; has {
			s := fmt.Sprint(v)
			one.Default = &s
		}
		list, _ := object["AllowedValues"].([]any)
		for _, item := range list {
			one.AllowedValues = append(one.AllowedValues, fmt.Sprint(item))
		}
		if s, ok := object["AllowedPattern"].(string); ok {
			one.Pattern = s
		}
		d.parameters[name] = one
	}
	return nil
}

func (d *document) readResources(v any) error {
	all, _ := v.(map[string]any)
	var unknown []string
	for name, r := range all {
		object, _ := r.(map[string]any)
		one := definition{Type: fmt.Sprint(object["Type"]), Properties: map[string]any{}}
		k, known := kinds[one.Type]
		if !known {
			unknown = append(unknown, one.Type)
			continue
		}
		for key, value := range object {
			switch key {
			case "Type", "Metadata":
			case "Condition":
				one.Condition = fmt.Sprint(value)
			case "DeletionPolicy":
				one.DeletionPolicy = fmt.Sprint(value)
			case "DependsOn":
				if list, ok := value.([]any); ok {
					for _, item := range list {
						one.DependsOn = append(one.DependsOn, fmt.Sprint(item))
					}
				} else {
					one.DependsOn = []string{fmt.Sprint(value)}
				}
			case "Properties":
				one.Properties, _ = value.(map[string]any)
			default:
				return validation("cfntest: %s of a resource is not supported", key)
			}
		}
		for property := range one.Properties {
			if !slices.Contains(k.properties, property) {
				return validation("Properties validation failed for resource %s with message: #: extraneous key [%s] is not permitted", name, property)
			}
		}
		d.resources[name] = one
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return validation("Template format error: Unrecognized resource types: [%s]", strings.Join(unknown, ", "))
	}
	return nil
}

// scope is what a template is evaluated with.
type scope struct {
	document document
	values   map[string]string // of the parameters, resolved
	region   string
	account  string
	name, id string // of the stack
	// physical names the resources that are there; what is not is known later.
	physical map[string]string
	// mask hides what parameters with NoEcho hold; resolve looks dynamic references up.
	mask    bool
	resolve func(string) (string, error)
	exports map[string]string
}

var noValue = &struct{}{}

// eval evaluates a value of the template.
func (s *scope) eval(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		list := []any{}
		for _, item := range v {
			one, err := s.eval(item)
			if err != nil {
				return nil, err
			}
			if one != any(noValue) {
				list = append(list, one)
			}
		}
		return list, nil
	case map[string]any:
		if len(v) == 1 {
			for key, argument := range v {
				if key == "Ref" || key == "Condition" || strings.HasPrefix(key, "Fn::") {
					return s.call(key, argument)
				}
			}
		}
		object := map[string]any{}
		for key, member := range v {
			one, err := s.eval(member)
			if err != nil {
				return nil, err
			}
			if one != any(noValue) {
				object[key] = one
			}
		}
		return object, nil
	case string:
		return s.dynamic(v)
	}
	return v, nil
}

func (s *scope) text(v any) (string, error) {
	value, err := s.eval(v)
	if err != nil {
		return "", err
	}
	switch value.(type) {
	case map[string]any, []any:
		return "", validation("Template error: a text is expected")
	}
	return fmt.Sprint(value), nil
}

func (s *scope) list(v any) ([]any, error) {
	value, err := s.eval(v)
	list, ok := value.([]any)
	if err == nil && !ok {
		err = validation("Template error: a list is expected")
	}
	return list, err
}

func (s *scope) call(name string, argument any) (any, error) {
	arguments, _ := argument.([]any)
	need := func(n int) error {
		if len(arguments) < n {
			return validation("Template error: %s needs %d arguments", name, n)
		}
		return nil
	}
	switch name {
	case "Ref":
		return s.ref(fmt.Sprint(argument))
	case "Fn::GetAtt":
		if err := need(2); err != nil {
			return nil, err
		}
		return s.attribute(fmt.Sprint(arguments[0]), fmt.Sprint(arguments[1]))
	case "Fn::Sub":
		return s.sub(argument)
	case "Fn::Join":
		if err := need(2); err != nil {
			return nil, err
		}
		list, err := s.list(arguments[1])
		if err != nil {
			return nil, err
		}
		var parts []string
		for _, item := range list {
			parts = append(parts, fmt.Sprint(item))
		}
		return s.dynamic(strings.Join(parts, fmt.Sprint(arguments[0])))
	case "Fn::Select":
		if err := need(2); err != nil {
			return nil, err
		}
		list, err := s.list(arguments[1])
		index := 0
		if _, scanErr := fmt.Sscan(fmt.Sprint(arguments[0]), &index); err == nil && (scanErr != nil || index < 0 || index >= len(list)) {
			err = validation("Template error: Fn::Select cannot select nonexistent value at index %v", arguments[0])
		}
		if err != nil {
			return nil, err
		}
		return list[index], nil
	case "Fn::Split":
		if err := need(2); err != nil {
			return nil, err
		}
		text, err := s.text(arguments[1])
		list := []any{}
		for _, part := range strings.Split(text, fmt.Sprint(arguments[0])) {
			list = append(list, part)
		}
		return list, err
	case "Fn::Base64":
		text, err := s.text(argument)
		return base64.StdEncoding.EncodeToString([]byte(text)), err
	case "Fn::If":
		if err := need(3); err != nil {
			return nil, err
		}
		is, err := s.condition(map[string]any{"Condition": arguments[0]})
		if err != nil {
			return nil, err
		}
		if is {
			return s.eval(arguments[1])
		}
		return s.eval(arguments[2])
	case "Fn::FindInMap":
		if err := need(3); err != nil {
			return nil, err
		}
		var at any = s.document.mappings
		for _, a := range arguments[:3] {
			key, err := s.text(a)
			if err != nil {
				return nil, err
			}
			object, _ := at.(map[string]any)
			if at = object[key]; at == nil {
				return nil, validation("Template error: Unable to get mapping for %s", key)
			}
		}
		return at, nil
	case "Fn::ImportValue":
		export, err := s.text(argument)
		if err != nil {
			return nil, err
		}
		value, ok := s.exports[export]
		if !ok {
			return nil, validation("No export named %s found.", export)
		}
		return value, nil
	}
	return nil, validation("cfntest: the function %s is not supported", name)
}

func (s *scope) ref(name string) (any, error) {
	switch name {
	case "AWS::NoValue":
		return noValue, nil
	case "AWS::Region":
		return s.region, nil
	case "AWS::AccountId":
		return s.account, nil
	case "AWS::StackName":
		return s.name, nil
	case "AWS::StackId":
		return s.id, nil
	case "AWS::Partition":
		return "aws", nil
	}
	if p, is := s.document.parameters[name]; is {
		if p.NoEcho && s.mask {
			return masked, nil
		}
		value := s.values[name]
		if p.Type == "CommaDelimitedList" || strings.HasPrefix(p.Type, "List<") {
			list := []any{}
			for _, item := range strings.Split(value, ",") {
				one, err := s.dynamic(strings.TrimSpace(item))
				if err != nil {
					return nil, err
				}
				list = append(list, one)
			}
			return list, nil
		}
		return s.dynamic(value)
	}
	if _, is := s.document.resources[name]; is {
		if physical, there := s.physical[name]; there {
			return physical, nil
		}
		return later, nil
	}
	return nil, validation("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", name)
}

func (s *scope) attribute(name, attribute string) (any, error) {
	if _, is := s.document.resources[name]; !is {
		return nil, validation("Template error: instance of Fn::GetAtt references undefined resource %s", name)
	}
	physical, there := s.physical[name]
	if !there {
		return later, nil
	}
	if attribute != "Arn" && attribute != "Value" {
		return nil, validation("Template error: resource %s does not support attribute type %s in Fn::GetAtt", name, attribute)
	}
	return fmt.Sprintf("arn:aws:cfntest:%s:%s:%s", s.region, s.account, physical), nil
}

var substitution = regexp.MustCompile(`\$\{([^}]*)\}`)

func (s *scope) sub(argument any) (any, error) {
	text, isText := argument.(string)
	local := map[string]any{}
	if list, ok := argument.([]any); ok && len(list) == 2 {
		text, isText = list[0].(string)
		local, _ = list[1].(map[string]any)
	}
	if !isText {
		return nil, validation("Template error: one or more Fn::Sub intrinsic functions don't specify expected arguments")
	}
	var failed error
	text = substitution.ReplaceAllStringFunc(text, func(found string) string {
		name := strings.TrimSpace(found[2 : len(found)-1])
		if literal, is := strings.CutPrefix(name, "!"); is {
			return "${" + literal + "}"
		}
		var value any
		var err error
		if own, is := local[name]; is {
			value, err = s.eval(own)
		} else if resource, attribute, is := strings.Cut(name, "."); is {
			value, err = s.attribute(resource, attribute)
		} else {
			value, err = s.ref(name)
		}
		failed = errors.Join(failed, err)
		return fmt.Sprint(value)
	})
	if failed != nil {
		return nil, failed
	}
	return s.dynamic(text)
}

var reference = regexp.MustCompile(`\{\{resolve:[^}]+\}\}`)

// dynamic resolves dynamic references, where the server is to do it: when a resource is built. A change set shows them as
// they are.
func (s *scope) dynamic(text string) (any, error) {
	if s.resolve == nil || !strings.Contains(text, "{{resolve:") {
		return text, nil
	}
	var failed error
	text = reference.ReplaceAllStringFunc(text, func(found string) string {
		value, err := s.resolve(strings.TrimSuffix(strings.TrimPrefix(found, "{{resolve:"), "}}"))
		failed = errors.Join(failed, err)
		return value
	})
	return text, failed
}

func (s *scope) condition(v any) (bool, error) {
	object, _ := v.(map[string]any)
	for key, argument := range object {
		list, _ := argument.([]any)
		switch key {
		case "Condition":
			named, is := s.document.conditions[fmt.Sprint(argument)]
			if !is {
				return false, validation("Template format error: Unresolved condition dependency %v", argument)
			}
			return s.condition(named)
		case "Fn::Equals":
			if len(list) != 2 {
				return false, validation("Template validation error: Fn::Equals needs 2 arguments")
			}
			a, err := s.text(list[0])
			if err != nil {
				return false, err
			}
			b, err := s.text(list[1])
			return a == b, err
		case "Fn::Not":
			if len(list) != 1 {
				return false, validation("Template validation error: Fn::Not needs 1 argument")
			}
			is, err := s.condition(list[0])
			return !is, err
		case "Fn::And", "Fn::Or":
			for _, item := range list {
				is, err := s.condition(item)
				if err != nil || is == (key == "Fn::Or") {
					return is, err
				}
			}
			return key == "Fn::And", nil
		}
	}
	return false, validation("cfntest: this condition is not supported")
}

// wanted are the resources that the conditions let be, in the order of their dependencies.
func (s *scope) wanted() ([]string, error) {
	var order []string
	state := map[string]int{}
	var visit func(name string) error
	visit = func(name string) error {
		switch state[name] {
		case 1:
			return validation("Circular dependency between resources: [%s]", name)
		case 2:
			return nil
		}
		state[name] = 1
		r := s.document.resources[name]
		needs := append([]string{}, r.DependsOn...)
		mentions(r.Properties, &needs)
		for _, other := range needs {
			if _, is := s.document.resources[other]; is && other != name {
				if err := visit(other); err != nil {
					return err
				}
			}
		}
		state[name] = 2
		if r.Condition != "" {
			plainScope := *s
			plainScope.mask = false
			is, err := plainScope.condition(map[string]any{"Condition": r.Condition})
			if err != nil || !is {
				return err
			}
		}
		order = append(order, name)
		return nil
	}
	names := []string{}
	for name := range s.document.resources {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return order, nil
}

// mentions collects the names that a value refers to.
func mentions(v any, names *[]string) {
	switch v := v.(type) {
	case []any:
		for _, item := range v {
			mentions(item, names)
		}
	case map[string]any:
		for key, member := range v {
			switch key {
			case "Ref":
				*names = append(*names, fmt.Sprint(member))
			case "Fn::GetAtt":
				if list, ok := member.([]any); ok && len(list) > 0 {
					*names = append(*names, fmt.Sprint(list[0]))
				}
			case "Fn::Sub":
				for _, found := range substitution.FindAllStringSubmatch(fmt.Sprint(member), -1) {
					name, _, _ := strings.Cut(found[1], ".")
					*names = append(*names, name)
				}
			}
			mentions(member, names)
		}
	}
}

// settle checks the values of the parameters and fills in defaults. lookup reads Parameter Store.
func (d document) settle(given map[string]string, lookup func(string) (string, bool)) (map[string]string, error) {
	values := map[string]string{}
	var unknown, missing []string
	for name := range given {
		if _, is := d.parameters[name]; !is {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return nil, validation("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	}
	for name, p := range d.parameters {
		value, has := given[name]
		if !has && p.Default != nil {
			value, has = *p.Default, true
		}
		if !has {
			missing = append(missing, name)
			continue
		}
		if len(p.AllowedValues) > 0 && !slices.Contains(p.AllowedValues, value) {
			return nil, validation("Parameter '%s' must be one of AllowedValues", name)
		}
		if p.Pattern != "" && !regexp.MustCompile(`^(?:`+p.Pattern+`)$`).MatchString(value) {
			return nil, validation("Parameter '%s' must match pattern %s", name, p.Pattern)
		}
		switch {
		case p.Type == "Number":
			if !isNumber(value) {
				return nil, validation("Parameter '%s' must be a number.", name)
			}
		case p.Type == "List<Number>":
			for _, item := range strings.Split(value, ",") {
				if !isNumber(strings.TrimSpace(item)) {
					return nil, validation("Parameter '%s' must be a list of numbers.", name)
				}
			}
		case strings.HasPrefix(p.Type, "AWS::SSM::Parameter::Value<"):
			resolved, there := lookup(value)
			if !there {
				return nil, validation("Unable to fetch parameters [%s] from parameter store for this account.", value)
			}
			value = resolved
		case p.Type != "String" && p.Type != "CommaDelimitedList" && !strings.HasPrefix(p.Type, "AWS::") && !strings.HasPrefix(p.Type, "List<"):
			return nil, validation("Template format error: Unrecognized parameter type: %s", p.Type)
		}
		values[name] = value
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, validation("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return values, nil
}

func isNumber(s string) bool {
	var n json.Number
	return json.Unmarshal([]byte(s), &n) == nil && n != ""
}
