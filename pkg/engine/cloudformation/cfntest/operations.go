package cfntest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

func (c *Cloud) event(s *stack, token, logical, physical, kind, status, reason string) {
	s.events = append(s.events, object{"EventId": c.unique(), "StackId": s.id, "StackName": s.name, "LogicalResourceId": logical, "PhysicalResourceId": physical, "ResourceType": kind,
		"Timestamp": c.now(), "ResourceStatus": status, "ResourceStatusReason": reason, "ClientRequestToken": token})
}

// turn gives a stack another status.
func (c *Cloud) turn(s *stack, token, status, reason string) {
	s.status, s.reason = status, reason
	c.event(s, token, s.name, s.id, "AWS::CloudFormation::Stack", status, reason)
}

func (c *Cloud) executeChangeSet(p *place, form url.Values) (any, error) {
	s, set, err := p.findSet(form)
	if err != nil {
		return nil, err
	}
	if set.status != "CREATE_COMPLETE" || set.execution != "AVAILABLE" {
		status := set.status
		if set.execution != "UNAVAILABLE" {
			status = set.execution
		}
		return nil, &apiError{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", set.id, status)}
	}
	if set.kind != "CREATE" {
		if err := s.updatable(); err != nil {
			return nil, err
		}
	}
	// The others are of a stack that is not there any more.
	s.sets = []*changeSet{set}
	set.execution = "EXECUTE_IN_PROGRESS"
	s.updated, s.cancelled = c.now(), false
	token := form.Get("ClientRequestToken")
	verb := "UPDATE"
	if set.kind == "CREATE" {
		verb, s.tags = "CREATE", set.tags
	}
	c.turn(s, token, verb+"_IN_PROGRESS", "User Initiated")
	go c.run(s, set, token, verb)
	return object{}, nil
}

// run carries a change set out. It holds the lock, and gives it away while it waits at a resource.
func (c *Cloud) run(s *stack, set *changeSet, token, verb string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := keep(s)
	why := c.build(s, set, token)
	if why == "" && s.cancelled {
		why = "User Initiated"
	}
	if why == "" {
		if verb == "UPDATE" {
			c.turn(s, token, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "")
			c.clean(s, set, token)
		}
		c.turn(s, token, verb+"_COMPLETE", "")
		set.execution = "EXECUTE_COMPLETE"
		s.sets = nil
		return
	}
	set.execution = "EXECUTE_FAILED"
	s.sets = nil
	if verb == "CREATE" {
		c.turn(s, token, "ROLLBACK_IN_PROGRESS", why)
		for _, r := range slices.Backward(slices.Clone(s.resources)) {
			c.event(s, token, r.logical, r.physical, r.kind, "DELETE_IN_PROGRESS", "")
			c.event(s, token, r.logical, r.physical, r.kind, "DELETE_COMPLETE", "")
		}
		s.resources = nil
		c.turn(s, token, "ROLLBACK_COMPLETE", "")
		return
	}
	c.turn(s, token, "UPDATE_ROLLBACK_IN_PROGRESS", why)
	for _, one := range set.changes {
		if c.stuck[one.logical] {
			c.event(s, token, one.logical, one.physical, one.kind, "UPDATE_FAILED", "the rollback of this resource failed")
			c.turn(s, token, "UPDATE_ROLLBACK_FAILED", "The following resource(s) failed to update: ["+one.logical+"].")
			return
		}
		if one.action == "Modify" {
			c.event(s, token, one.logical, one.physical, one.kind, "UPDATE_COMPLETE", "")
		}
	}
	before(s)
	c.turn(s, token, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "")
	c.turn(s, token, "UPDATE_ROLLBACK_COMPLETE", "")
}

// keep returns what puts a stack back to what it is now.
func keep(s *stack) func(*stack) {
	var resources []*resource
	for _, r := range s.resources {
		copied := *r
		copied.properties, copied.actual = maps.Clone(r.properties), maps.Clone(r.actual)
		resources = append(resources, &copied)
	}
	old := *s
	return func(s *stack) {
		s.resources, s.template, s.document, s.parameters, s.values, s.tags, s.outputs, s.exports = resources, old.template, old.document, old.parameters, old.values, old.tags, old.outputs, old.exports
	}
}

// build creates and updates the resources of a change set; why is empty where that went well.
func (c *Cloud) build(s *stack, set *changeSet, token string) (why string) {
	for _, one := range set.changes {
		if one.action == "Remove" {
			continue
		}
		verb := map[string]string{"Add": "CREATE", "Modify": "UPDATE", "Import": "IMPORT"}[one.action]
		c.event(s, token, one.logical, one.physical, one.kind, verb+"_IN_PROGRESS", "")
		if held, is := c.held[one.logical]; is {
			c.reached[one.logical] = true
			for waits := true; waits && !s.cancelled; {
				c.mu.Unlock()
				select {
				case <-held:
					waits = false
				case <-tick():
				}
				c.mu.Lock()
			}
		}
		if s.cancelled {
			c.event(s, token, one.logical, one.physical, one.kind, verb+"_FAILED", "Resource update cancelled")
			return "User Initiated"
		}
		r, err := c.make(s, set, one)
		if reason, fails := c.failing[one.logical]; err == nil && fails {
			err = fmt.Errorf("%s", strings.ReplaceAll(reason, "%s", encode(r.actual)))
		}
		if err != nil {
			c.event(s, token, one.logical, one.physical, one.kind, verb+"_FAILED", err.Error())
			return fmt.Sprintf("The following resource(s) failed to %s: [%s]. ", strings.ToLower(verb), one.logical)
		}
		if old := s.resource(one.logical); old != nil {
			*old = *r
		} else {
			s.resources = append(s.resources, r)
		}
		r.status = verb + "_COMPLETE"
		s.resource(one.logical).status = r.status
		c.event(s, token, one.logical, r.physical, one.kind, r.status, "")
	}
	s.template, s.document, s.parameters, s.values, s.tags, s.role = set.template, set.document, set.parameters, set.values, set.tags, set.role
	return c.putOut(s)
}

// make builds one resource.
func (c *Cloud) make(s *stack, set *changeSet, one change) (*resource, error) {
	scope := c.scopeOf(s, set.document, set.values)
	definition := set.document.resources[one.logical]
	properties, err := scope.eval(definition.Properties)
	if err != nil {
		return nil, err
	}
	scope.resolve = c.resolve
	actual, err := scope.eval(definition.Properties)
	if err != nil {
		return nil, err
	}
	r := &resource{logical: one.logical, physical: one.physical, kind: one.kind, properties: properties.(map[string]any), actual: actual.(map[string]any), updated: c.now(), policy: definition.DeletionPolicy}
	if one.action == "Add" || one.action == "Modify" && one.replacement != "False" {
		r.physical = fmt.Sprintf("%s-%s-%s", s.name, one.logical, strings.ToUpper(c.unique()[:8]))
		if named, is := r.actual[kinds[one.kind].physical]; is {
			if r.physical = fmt.Sprint(named); c.loose[r.physical] {
				return nil, fmt.Errorf("%s already exists", r.physical)
			}
		}
	}
	return r, nil
}

// putOut evaluates the outputs.
func (c *Cloud) putOut(s *stack) string {
	scope := c.scopeOf(s, s.document, s.values)
	s.outputs, s.exports = nil, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.document.outputs)) {
		definition, _ := s.document.outputs[name].(map[string]any)
		value, err := scope.text(definition["Value"])
		if err != nil {
			return err.Error()
		}
		one := object{"OutputKey": name, "OutputValue": value}
		if export, is := definition["Export"].(map[string]any); is {
			exported, err := scope.text(export["Name"])
			if err != nil {
				return err.Error()
			}
			one["ExportName"], s.exports[exported] = exported, value
		}
		s.outputs = append(s.outputs, one)
	}
	return ""
}

// clean deletes what is not needed after an update.
func (c *Cloud) clean(s *stack, set *changeSet, token string) {
	for _, one := range set.changes {
		if one.action != "Remove" && one.replacement != "True" && one.replacement != "Conditional" {
			continue
		}
		if one.policy != "Retain" {
			c.event(s, token, one.logical, one.physical, one.kind, "DELETE_IN_PROGRESS", "")
			c.event(s, token, one.logical, one.physical, one.kind, "DELETE_COMPLETE", "")
		} else {
			c.event(s, token, one.logical, one.physical, one.kind, "DELETE_SKIPPED", "")
		}
		if one.action == "Remove" {
			s.resources = slices.DeleteFunc(s.resources, func(r *resource) bool { return r.logical == one.logical })
		}
	}
}

func (c *Cloud) deleteStack(p *place, form url.Values) (any, error) {
	s := p.find(form.Get("StackName"))
	if s == nil || s.status == "DELETE_COMPLETE" {
		return nil, nil // no error
	}
	if s.protected {
		return nil, validation("Stack [%s] cannot be deleted while TerminationProtection is enabled", s.name)
	}
	if s.status == "REVIEW_IN_PROGRESS" {
		s.sets = nil
		c.turn(s, form.Get("ClientRequestToken"), "DELETE_COMPLETE", "")
		return nil, nil
	}
	if s.busy() {
		return nil, validation("Stack [%s] cannot be deleted while in status %s", s.name, s.status)
	}
	for _, other := range p.stacks {
		for export := range s.exports {
			if other != s && other.status != "DELETE_COMPLETE" && strings.Contains(other.template, export) {
				return nil, validation("Export %s cannot be deleted as it is in use by %s", export, other.name)
			}
		}
	}
	token := form.Get("ClientRequestToken")
	c.turn(s, token, "DELETE_IN_PROGRESS", "User Initiated")
	go c.remove(s, token)
	return nil, nil
}

func (c *Cloud) remove(s *stack, token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range slices.Backward(slices.Clone(s.resources)) {
		if r.policy == "Retain" {
			c.event(s, token, r.logical, r.physical, r.kind, "DELETE_SKIPPED", "")
			continue
		}
		c.event(s, token, r.logical, r.physical, r.kind, "DELETE_IN_PROGRESS", "")
		if reason, fails := c.failing[r.logical]; fails {
			r.status = "DELETE_FAILED"
			c.event(s, token, r.logical, r.physical, r.kind, "DELETE_FAILED", strings.ReplaceAll(reason, "%s", encode(r.actual)))
			c.turn(s, token, "DELETE_FAILED", "The following resource(s) failed to delete: ["+r.logical+"]. ")
			return
		}
		c.event(s, token, r.logical, r.physical, r.kind, "DELETE_COMPLETE", "")
		s.resources = slices.DeleteFunc(s.resources, func(other *resource) bool { return other == r })
	}
	s.resources, s.exports, s.outputs = nil, nil, nil
	c.turn(s, token, "DELETE_COMPLETE", "")
}

func (c *Cloud) cancelUpdateStack(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	if s.status != "UPDATE_IN_PROGRESS" {
		return nil, validation("CancelUpdateStack cannot be called from current stack status")
	}
	s.cancelled = true
	return nil, nil
}
