package cfntest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"
)

// stack is one, also one that is deleted.
type stack struct {
	place            *place
	id, name         string
	status, reason   string
	created, updated time.Time
	template         string
	document         document
	parameters       map[string]string // as given
	values           map[string]string // as resolved
	tags             map[string]string
	role             string
	protected        bool
	resources        []*resource
	outputs          []object
	exports          map[string]string
	sets             []*changeSet
	events           []object
	cancelled        bool
	drifts           map[string]drift
}

type resource struct {
	logical, physical, kind, status string
	properties                      map[string]any // as CloudFormation knows them
	actual                          map[string]any // as they are
	updated                         time.Time
	policy                          string
}

type changeSet struct {
	id, name, kind, status, reason, execution string
	description                               string
	created                                   time.Time
	looks                                     int
	template                                  string
	document                                  document
	parameters, values, tags                  map[string]string
	role                                      string
	importing                                 bool
	changes                                   []change
}

type change struct {
	action, logical, physical, kind, replacement, policy string
	before, after                                        map[string]any
	properties                                           []string
	recreate                                             map[string]bool
	dynamic                                              map[string]bool
}

type drift struct{ looks int }

var actions = map[string]func(*Cloud, *place, url.Values) (any, error){
	"CreateChangeSet": (*Cloud).createChangeSet, "DescribeChangeSet": (*Cloud).describeChangeSet, "ListChangeSets": (*Cloud).listChangeSets,
	"DeleteChangeSet": (*Cloud).deleteChangeSet, "ExecuteChangeSet": (*Cloud).executeChangeSet, "DescribeStacks": (*Cloud).describeStacks,
	"DescribeStackEvents": (*Cloud).describeStackEvents, "ListStackResources": (*Cloud).listStackResources, "DeleteStack": (*Cloud).deleteStack,
	"CancelUpdateStack": (*Cloud).cancelUpdateStack, "GetTemplate": (*Cloud).getTemplate, "GetTemplateSummary": (*Cloud).getTemplateSummary, "DetectStackDrift": (*Cloud).detectStackDrift,
	"DescribeStackDriftDetectionStatus": (*Cloud).describeDetection, "DescribeStackResourceDrifts": (*Cloud).describeDrifts,
	"UpdateTerminationProtection": (*Cloud).protect,
}

func (p *place) find(nameOrID string) *stack {
	for _, s := range slices.Backward(p.stacks) {
		if s.id == nameOrID || s.name == nameOrID && s.status != "DELETE_COMPLETE" {
			return s
		}
	}
	return nil
}

func (p *place) need(nameOrID string) (*stack, error) {
	if s := p.find(nameOrID); s != nil {
		return s, nil
	}
	return nil, validation("Stack with id %s does not exist", nameOrID)
}

var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]*$`)

func (s *stack) busy() bool {
	return strings.HasSuffix(s.status, "_IN_PROGRESS") && s.status != "REVIEW_IN_PROGRESS"
}

// updatable reports whether an update may begin.
func (s *stack) updatable() error {
	switch s.status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE":
		return nil
	}
	return validation("Stack:%s is in %s state and can not be updated.", s.id, s.status)
}

func (c *Cloud) createChangeSet(p *place, form url.Values) (any, error) {
	name, set := form.Get("StackName"), form.Get("ChangeSetName")
	for at, value := range map[string]string{"stackName": name, "changeSetName": set} {
		if !stackName.MatchString(value) && !strings.HasPrefix(value, "arn:") || len(value) > 128 {
			return nil, validation("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*", value, at)
		}
	}
	template := form.Get("TemplateBody")
	if len(template) > 51200 {
		return nil, validation("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")
	}
	d, err := parse(template)
	if err != nil {
		return nil, err
	}
	given := pairs(form, "Parameters", "ParameterKey", "ParameterValue")
	for parameter, previous := range pairs(form, "Parameters", "ParameterKey", "UsePreviousValue") {
		if previous != "true" {
			continue
		}
		delete(given, parameter)
		if s := p.find(name); s == nil {
			return nil, validation("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", parameter)
		} else if value, is := s.parameters[parameter]; is {
			given[parameter] = value
		}
	}
	values, err := d.settle(given, c.lookup)
	if err != nil {
		return nil, err
	}
	capabilities := list(form, "Capabilities")
	for _, r := range d.resources {
		if kinds[r.Type].iam && !slices.Contains(capabilities, "CAPABILITY_IAM") && !slices.Contains(capabilities, "CAPABILITY_NAMED_IAM") {
			return nil, &apiError{400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"}
		}
	}
	s, err := c.stackOf(p, name, set, form.Get("ChangeSetType"))
	if err != nil {
		return nil, err
	}
	for _, other := range s.sets {
		if other.name == set {
			return nil, &apiError{400, "AlreadyExistsException", fmt.Sprintf("ChangeSet %s already exists", set)}
		}
	}
	one := &changeSet{name: set, kind: form.Get("ChangeSetType"), status: "CREATE_PENDING", execution: "UNAVAILABLE", description: form.Get("Description"), created: c.now(), template: template, document: d,
		parameters: given, values: values, tags: pairs(form, "Tags", "Key", "Value"), role: form.Get("RoleARN"), importing: form.Get("ImportExistingResources") == "true"}
	one.id = fmt.Sprintf("arn:aws:cloudformation:%s:%s:changeSet/%s/%s", p.region, p.account, set, c.unique())
	if one.changes, err = c.compare(s, one); err != nil {
		return nil, err
	}
	if len(one.changes) == 0 && one.kind != "CREATE" && c.sameOutputs(s, one) && maps.Equal(s.tags, one.tags) {
		one.reason = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	s.sets = append(s.sets, one)
	return object{"Id": one.id, "StackId": s.id}, nil
}

// stackOf is the stack that a change set is for; a first one makes a stack for it.
func (c *Cloud) stackOf(p *place, name, set, kind string) (*stack, error) {
	s := p.find(name)
	switch kind {
	case "CREATE":
		if s != nil && s.status != "REVIEW_IN_PROGRESS" {
			return nil, validation("Stack [%s] already exists and cannot be created again with the changeSet [%s].", name, set)
		}
		if s == nil {
			s = &stack{place: p, name: name, status: "REVIEW_IN_PROGRESS", created: c.now(), id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", p.region, p.account, name, c.unique()), drifts: map[string]drift{}}
			p.stacks = append(p.stacks, s)
			c.event(s, "", s.name, s.id, "AWS::CloudFormation::Stack", "REVIEW_IN_PROGRESS", "User Initiated")
		}
		return s, nil
	case "UPDATE", "":
		if s == nil {
			return nil, validation("Stack [%s] does not exist", name)
		}
		return s, s.updatable()
	}
	return nil, validation("cfntest: change sets of type %s are not supported", kind)
}

func (c *Cloud) scopeOf(s *stack, d document, values map[string]string) *scope {
	physical := map[string]string{}
	for _, r := range s.resources {
		physical[r.logical] = r.physical
	}
	return &scope{document: d, values: values, region: s.place.region, account: s.place.account, name: s.name, id: s.id, physical: physical, exports: s.place.exports()}
}

func (p *place) exports() map[string]string {
	all := map[string]string{}
	for _, s := range p.stacks {
		if s.status != "DELETE_COMPLETE" {
			maps.Copy(all, s.exports)
		}
	}
	return all
}

func (s *stack) resource(logical string) *resource {
	for _, r := range s.resources {
		if r.logical == logical {
			return r
		}
	}
	return nil
}

// compare are the changes that lead from a stack to a change set.
func (c *Cloud) compare(s *stack, set *changeSet) ([]change, error) {
	now := c.scopeOf(s, set.document, set.values)
	order, err := now.wanted()
	if err != nil {
		return nil, err
	}
	var all []change
	for _, logical := range order {
		definition := set.document.resources[logical]
		after, err := now.eval(definition.Properties)
		if err != nil {
			return nil, err
		}
		shownScope := *now
		shownScope.mask = true
		shown, err := shownScope.eval(definition.Properties)
		if err != nil {
			return nil, err
		}
		one := change{logical: logical, kind: definition.Type, after: shown.(map[string]any), recreate: map[string]bool{}, dynamic: map[string]bool{}}
		old := s.resource(logical)
		if old == nil {
			one.action = "Add"
			if named := fmt.Sprint(after.(map[string]any)[kinds[definition.Type].physical]); set.importing && c.loose[named] {
				if definition.DeletionPolicy == "" {
					return nil, validation("Resources [%s] to import must have DeletionPolicy attribute specified in the template.", logical)
				}
				one.action, one.physical = "Import", named
			}
			all = append(all, one)
			continue
		}
		if one.before, err = c.shownBefore(s, logical); err != nil {
			return nil, err
		}
		one.action, one.physical, one.replacement = "Modify", old.physical, "False"
		properties := after.(map[string]any)
		for property := range merged(old.properties, properties) {
			if same(old.properties[property], properties[property]) {
				continue
			}
			one.properties = append(one.properties, property)
			one.dynamic[property] = strings.Contains(fmt.Sprint(properties[property]), later)
			if slices.Contains(kinds[definition.Type].replace, property) {
				one.recreate[property] = true
				if one.replacement = "True"; one.dynamic[property] {
					one.replacement = "Conditional"
				}
			}
		}
		if old.kind != definition.Type {
			one.replacement = "True"
			one.properties = append(one.properties, "Type")
		}
		if len(one.properties) == 0 {
			continue
		}
		sort.Strings(one.properties)
		if one.replacement != "False" {
			one.policy = "ReplaceAndDelete"
			delete(now.physical, logical)
		}
		all = append(all, one)
	}
	for _, r := range s.resources {
		if !slices.Contains(order, r.logical) {
			before, err := c.shownBefore(s, r.logical)
			if err != nil {
				return nil, err
			}
			policy := "Delete"
			if r.policy == "Retain" {
				policy = "Retain"
			}
			all = append(all, change{action: "Remove", logical: r.logical, physical: r.physical, kind: r.kind, before: before, policy: policy})
		}
	}
	return all, nil
}

// shownBefore are the properties of a resource as a change set shows them.
func (c *Cloud) shownBefore(s *stack, logical string) (map[string]any, error) {
	before := c.scopeOf(s, s.document, s.values)
	before.mask = true
	shown, err := before.eval(s.document.resources[logical].Properties)
	if err != nil {
		return nil, err
	}
	return shown.(map[string]any), nil
}

func (c *Cloud) sameOutputs(s *stack, set *changeSet) bool {
	return same(s.document.outputs, set.document.outputs)
}

func merged(a, b map[string]any) map[string]any {
	all := maps.Clone(a)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, b)
	return all
}

func same(a, b any) bool { return encode(a) == encode(b) }

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *place) findSet(form url.Values) (*stack, *changeSet, error) {
	name := form.Get("ChangeSetName")
	for _, s := range p.stacks {
		if of := form.Get("StackName"); of != "" && of != s.name && of != s.id {
			continue
		}
		for _, set := range s.sets {
			if set.id == name || set.name == name && form.Get("StackName") != "" {
				return s, set, nil
			}
		}
	}
	if of := form.Get("StackName"); of != "" && p.find(of) == nil {
		return nil, nil, validation("Stack [%s] does not exist", of)
	}
	return nil, nil, &apiError{404, "ChangeSetNotFound", fmt.Sprintf("ChangeSet [%s] does not exist", name)}
}

// settle lets a change set get ready: its status is another one at each look.
func (set *changeSet) settle() {
	set.looks++
	switch {
	case set.looks == 1 && set.status == "CREATE_PENDING":
		set.status = "CREATE_IN_PROGRESS"
	case set.status == "CREATE_IN_PROGRESS" && set.reason != "":
		set.status = "FAILED"
	case set.status == "CREATE_IN_PROGRESS":
		set.status, set.execution = "CREATE_COMPLETE", "AVAILABLE"
	}
}

func (c *Cloud) describeChangeSet(p *place, form url.Values) (any, error) {
	s, set, err := p.findSet(form)
	if err != nil {
		return nil, err
	}
	for looks := 1; looks <= 3 && c.delayed != set.status && (looks == 1 || c.Eager); looks++ {
		set.settle()
	}
	changes := []object{}
	if set.status == "CREATE_COMPLETE" {
		for _, one := range set.changes {
			changes = append(changes, object{"Type": "Resource", "ResourceChange": one.shown(form.Get("IncludePropertyValues") == "true")})
		}
	}
	some, token := page(c, form, changes)
	var parameters []object
	for _, name := range slices.Sorted(maps.Keys(set.parameters)) {
		value := set.parameters[name]
		if set.document.parameters[name].NoEcho {
			value = masked
		}
		parameters = append(parameters, object{"ParameterKey": name, "ParameterValue": value})
	}
	return object{"ChangeSetId": set.id, "ChangeSetName": set.name, "StackId": s.id, "StackName": s.name, "CreationTime": set.created, "Status": set.status, "StatusReason": set.reason, "Description": set.description,
		"ExecutionStatus": set.execution, "Changes": some, "NextToken": token, "Parameters": parameters, "Tags": tagsOf(set.tags), "IncludeNestedStacks": false}, nil
}

func (one change) shown(values bool) object {
	o := object{"Action": one.action, "LogicalResourceId": one.logical, "PhysicalResourceId": one.physical, "ResourceType": one.kind, "Replacement": one.replacement, "PolicyAction": one.policy}
	var details []object
	for _, property := range one.properties {
		recreation, evaluation := "Never", "Static"
		if one.recreate[property] {
			recreation = "Always"
		}
		if one.dynamic[property] {
			evaluation = "Dynamic"
		}
		target := object{"Attribute": "Properties", "Name": property, "RequiresRecreation": recreation}
		if values {
			target["Path"], target["AttributeChangeType"] = "/Properties/"+property, "Modify"
			for key, side := range map[string]map[string]any{"BeforeValue": one.before, "AfterValue": one.after} {
				if v, has := side[property]; has {
					if text, is := v.(string); is {
						target[key] = text
					} else {
						target[key] = encode(v)
					}
				}
			}
		}
		details = append(details, object{"ChangeSource": "DirectModification", "Evaluation": evaluation, "Target": target})
	}
	if details != nil {
		o["Details"], o["Scope"] = details, []string{"Properties"}
	}
	if values {
		if one.before != nil {
			o["BeforeContext"] = encode(map[string]any{"Properties": one.before})
		}
		if one.after != nil {
			o["AfterContext"] = encode(map[string]any{"Properties": one.after})
		}
	}
	return o
}

func tagsOf(tags map[string]string) []object {
	var all []object
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		all = append(all, object{"Key": key, "Value": tags[key]})
	}
	return all
}

func (c *Cloud) listChangeSets(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	var all []object
	for _, set := range s.sets {
		all = append(all, object{"StackId": s.id, "StackName": s.name, "ChangeSetId": set.id, "ChangeSetName": set.name, "Status": set.status, "StatusReason": set.reason, "ExecutionStatus": set.execution, "CreationTime": set.created})
	}
	some, token := page(c, form, all)
	return object{"Summaries": some, "NextToken": token}, nil
}

func (c *Cloud) deleteChangeSet(p *place, form url.Values) (any, error) {
	s, set, err := p.findSet(form)
	var refused *apiError
	if errors.As(err, &refused) && refused.Code == "ChangeSetNotFound" {
		return object{}, nil // deleting what is not there is no error
	}
	if err != nil {
		return nil, err
	}
	if set.execution == "EXECUTE_IN_PROGRESS" {
		return nil, &apiError{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be deleted in its current execution status of [%s]", set.id, set.execution)}
	}
	s.sets = slices.DeleteFunc(s.sets, func(other *changeSet) bool { return other == set })
	return object{}, nil
}

func (c *Cloud) describeStacks(p *place, form url.Values) (any, error) {
	var all []object
	if name := form.Get("StackName"); name != "" {
		s, err := p.need(name)
		if err != nil {
			return nil, err
		}
		all = []object{s.shown()}
	} else {
		for _, s := range p.stacks {
			if s.status != "DELETE_COMPLETE" {
				all = append(all, s.shown())
			}
		}
	}
	some, token := page(c, form, all)
	return object{"Stacks": some, "NextToken": token}, nil
}

func (s *stack) shown() object {
	o := object{"StackId": s.id, "StackName": s.name, "StackStatus": s.status, "StackStatusReason": s.reason, "CreationTime": s.created, "LastUpdatedTime": s.updated,
		"EnableTerminationProtection": s.protected, "DisableRollback": false, "RoleARN": s.role, "Tags": tagsOf(s.tags), "DriftInformation": object{"StackDriftStatus": "NOT_CHECKED"}}
	if s.outputs != nil {
		o["Outputs"] = s.outputs
	}
	var parameters []object
	for _, name := range slices.Sorted(maps.Keys(s.parameters)) {
		value := s.parameters[name]
		if s.document.parameters[name].NoEcho {
			value = masked
		}
		parameters = append(parameters, object{"ParameterKey": name, "ParameterValue": value})
	}
	if parameters != nil {
		o["Parameters"] = parameters
	}
	return o
}

func (c *Cloud) describeStackEvents(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	all := slices.Clone(s.events)
	slices.Reverse(all)
	some, token := page(c, form, all)
	return object{"StackEvents": some, "NextToken": token}, nil
}

func (c *Cloud) listStackResources(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	var all []object
	for _, r := range s.resources {
		all = append(all, object{"LogicalResourceId": r.logical, "PhysicalResourceId": r.physical, "ResourceType": r.kind, "ResourceStatus": r.status, "LastUpdatedTimestamp": r.updated})
	}
	some, token := page(c, form, all)
	return object{"StackResourceSummaries": some, "NextToken": token}, nil
}

func (c *Cloud) getTemplate(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	return object{"TemplateBody": s.template, "StagesAvailable": []string{"Original", "Processed"}}, nil
}

func (c *Cloud) getTemplateSummary(p *place, form url.Values) (any, error) {
	template := form.Get("TemplateBody")
	if name := form.Get("StackName"); name != "" {
		s, err := p.need(name)
		if err != nil {
			return nil, err
		}
		template = s.template
	}
	d, err := parse(template)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		one := object{"ParameterKey": name, "ParameterType": d.parameters[name].Type, "NoEcho": d.parameters[name].NoEcho}
		if value := d.parameters[name].Default; value != nil {
			one["DefaultValue"] = *value
		}
		all = append(all, one)
	}
	var types []string
	for _, r := range d.resources {
		types = append(types, r.Type)
	}
	slices.Sort(types)
	return object{"Parameters": all, "ResourceTypes": types}, nil
}

func (c *Cloud) protect(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	s.protected = form.Get("EnableTerminationProtection") == "true"
	return object{"StackId": s.id}, nil
}
