package cfntest

import (
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

func tick() <-chan time.Time { return time.After(5 * time.Millisecond) }

func (c *Cloud) detectStackDrift(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	if err := s.updatable(); err != nil {
		return nil, validation("Drift detection cannot be performed on stack [%s] in state [%s]", s.id, s.status)
	}
	id := c.unique()
	s.drifts[id] = drift{}
	return object{"StackDriftDetectionId": id}, nil
}

func (c *Cloud) describeDetection(p *place, form url.Values) (any, error) {
	id := form.Get("StackDriftDetectionId")
	for _, s := range p.stacks {
		d, is := s.drifts[id]
		if !is {
			continue
		}
		d.looks++
		s.drifts[id] = d
		o := object{"StackId": s.id, "StackDriftDetectionId": id, "Timestamp": c.now(), "DetectionStatus": "DETECTION_IN_PROGRESS"}
		if d.looks < 2 {
			return o, nil
		}
		if reason, fails := c.failing["drift"]; fails {
			o["DetectionStatus"], o["DetectionStatusReason"] = "DETECTION_FAILED", reason
			return o, nil
		}
		drifted := 0
		for _, r := range s.resources {
			if r.drifted() != "IN_SYNC" {
				drifted++
			}
		}
		o["DetectionStatus"], o["StackDriftStatus"], o["DriftedStackResourceCount"] = "DETECTION_COMPLETE", "IN_SYNC", drifted
		if drifted > 0 {
			o["StackDriftStatus"] = "DRIFTED"
		}
		return o, nil
	}
	return nil, validation("Drift detection id [%s] does not exist", id)
}

func (r *resource) drifted() string {
	switch {
	case r.actual == nil:
		return "DELETED"
	case !same(r.expected(), r.seen()):
		return "MODIFIED"
	}
	return "IN_SYNC"
}

// expected are the properties that are compared: drift detection leaves out dynamic references.
func (r *resource) expected() map[string]any { return r.compared(r.properties) }

func (r *resource) seen() map[string]any { return r.compared(r.actual) }

func (r *resource) compared(properties map[string]any) map[string]any {
	all := map[string]any{}
	for name, value := range properties {
		if !strings.Contains(encode(r.properties[name]), "{{resolve:") {
			all[name] = value
		}
	}
	return all
}

func (c *Cloud) describeDrifts(p *place, form url.Values) (any, error) {
	s, err := p.need(form.Get("StackName"))
	if err != nil {
		return nil, err
	}
	wanted := list(form, "StackResourceDriftStatusFilters")
	var all []object
	for _, r := range s.resources {
		status := r.drifted()
		if len(wanted) > 0 && !slices.Contains(wanted, status) {
			continue
		}
		one := object{"StackId": s.id, "LogicalResourceId": r.logical, "PhysicalResourceId": r.physical, "ResourceType": r.kind, "StackResourceDriftStatus": status, "Timestamp": c.now()}
		if status == "MODIFIED" {
			one["ExpectedProperties"], one["ActualProperties"] = encode(r.expected()), encode(r.seen())
			var differences []object
			for name := range merged(r.expected(), r.seen()) {
				if !same(r.properties[name], r.actual[name]) {
					differences = append(differences, object{"PropertyPath": "/" + name, "ExpectedValue": encode(r.properties[name]), "ActualValue": encode(r.actual[name]), "DifferenceType": "NOT_EQUAL"})
				}
			}
			sort.Slice(differences, func(i, j int) bool {
				return differences[i]["PropertyPath"].(string) < differences[j]["PropertyPath"].(string)
			})
			one["PropertyDifferences"] = differences
		}
		all = append(all, one)
	}
	some, token := page(c, form, all)
	return object{"StackResourceDrifts": some, "NextToken": token}, nil
}

// Stack is what tests see of a stack.
type Stack struct {
	Name, ID, Status string
	Tags             map[string]string
	ChangeSets       int
	// Resources are the properties of what is really there, as JSON, by logical ID.
	Resources map[string]string
}

// Stacks are all stacks that are not deleted.
func (c *Cloud) Stacks() []Stack {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Stack
	for _, p := range c.places {
		for _, s := range p.stacks {
			if s.status == "DELETE_COMPLETE" {
				continue
			}
			one := Stack{Name: s.name, ID: s.id, Status: s.status, Tags: s.tags, ChangeSets: len(s.sets), Resources: map[string]string{}}
			for _, r := range s.resources {
				one.Resources[r.logical] = encode(r.actual)
			}
			all = append(all, one)
		}
	}
	sort.Slice(all, func(i, j int) bool { return all[i].ID < all[j].ID })
	return all
}

// change changes a stack behind the back of its client.
func (c *Cloud) change(name string, change func(*stack)) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.places {
		if s := p.find(name); s != nil {
			change(s)
			return
		}
	}
	c.t.Fatalf("there is no stack %s", name)
}

// Edit changes a resource itself: CloudFormation does not know of it.
func (c *Cloud) Edit(name, logical, property string, value any) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.resource(logical).actual[property] = value })
}

// Lose deletes a resource itself.
func (c *Cloud) Lose(name, logical string) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.resource(logical).actual = nil })
}

// Update updates a stack as someone else would: all change sets are obsolete then.
func (c *Cloud) Update(name string) {
	c.t.Helper()
	c.change(name, func(s *stack) {
		s.updated, s.status = c.now(), "UPDATE_COMPLETE"
		for _, set := range s.sets {
			set.execution = "OBSOLETE"
		}
	})
}

// Obsolete makes the change sets of a stack obsolete, and leaves the stack as it is.
func (c *Cloud) Obsolete(name string) {
	c.t.Helper()
	c.change(name, func(s *stack) {
		for _, set := range s.sets {
			set.execution = "OBSOLETE"
		}
	})
}

// SetStatus gives a stack a status.
func (c *Cloud) SetStatus(name, status string) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.status = status })
}

// SetTags replaces the tags of a stack.
func (c *Cloud) SetTags(name string, tags map[string]string) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.tags = tags })
}

// Age makes the change sets of a stack older.
func (c *Cloud) Age(name string, by time.Duration) {
	c.t.Helper()
	c.change(name, func(s *stack) {
		for _, set := range s.sets {
			set.created = set.created.Add(-by)
		}
	})
}

// Protect sets the termination protection of a stack.
func (c *Cloud) Protect(name string, protected bool) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.protected = protected })
}

// Remove deletes a stack as someone else would.
func (c *Cloud) Remove(name string) {
	c.t.Helper()
	c.change(name, func(s *stack) { s.status, s.resources = "DELETE_COMPLETE", nil })
}
