package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// offered are the items of that property: the stacks, or the tool where there is one
// stack without a name.
func (s *setup) offered() []string {
	var items []string
	for _, stack := range s.who.StackNames() {
		if stack == "" {
			return []string{s.who.Manager.Tool.Name}
		}
		items = append(items, string(stack))
	}
	return items
}

// addProperties lets the customer's organization define what metapipe.yml uses, without defaults. The last
// of several stacks stays switched off, until the story switches it on. It needs none of
// those that come after it, and none of the others needs it.
func (s *setup) addProperties(owner string) error {
	people := []string{developer, approver, managerBot, callerBot, inboxBot}
	if s.who.Manager.Properties == nil || slices.Contains(people, strings.ToLower(owner)) {
		return nil // the repository of a person has no properties
	}
	definitions, err := properties.NewDefinitions(s.who.Manager)
	if err != nil {
		return err
	}
	var defined []hub.PropertyDefinition
	for _, d := range definitions {
		defined = append(defined, hub.PropertyDefinition{Name: d.Name, Type: string(d.Type), Allowed: d.Allowed, EditableBy: d.EditableBy})
	}
	if err := s.hub.DefineProperties(owner, defined...); err != nil {
		return err
	}
	items := s.offered()
	chosen := hub.Properties{}
	if s.choice = s.who.Manager.Properties.Names[pipeline.MeaningTools]; s.choice != "" {
		chosen[s.choice] = items[:max(1, len(items)-1)]
	}
	s.customer.SetProperties(chosen)
	return nil
}

// switchOn lets the customer add the last of several stacks to the property. The change
// of a property starts no workflow, so a push follows.
func (s *rehearsal) switchOn(ctx context.Context, before string) error {
	name, items := s.setup.choice, s.setup.offered()
	if name == "" || len(items) < 2 {
		return nil
	}
	stack := items[len(items)-1]
	s.open("A property", fmt.Sprintf("The customer adds %s to the custom property %s of its repository and pushes. The stack is deployed like the others, behind the same gates.", stack, name))
	s.setup.customer.SetProperties(hub.Properties{name: items})
	s.narrator.say(story.Customer, story.Said, "sets the custom property "+name, strings.Join(items, ", "))
	content := commented(commented(s.setup.change.head))
	after, err := s.setup.customer.Commit(s.branch(), hub.Change{Files: map[string]hub.File{s.setup.file(): {Content: content}}, Message: "Ask for " + stack, Author: developer})
	if err != nil {
		return err
	}
	s.narrator.say(story.Customer, story.Said, "pushes a second comment in "+s.setup.file(), short(after))
	x, err := s.push(ctx, before, after, s.opts.Approve)
	if err != nil {
		return err
	}
	if x.rejected() != "" {
		s.conclude("stopped at the gate, with a final status", x.state(pipeline.StatusFailure) && x.trigger.exit == 1, x)
		return nil
	}
	s.conclude(stack+" applied, nothing else changed", switchedOn(x.manager, pipeline.StackName(stack)) && x.state(pipeline.StatusSuccess) && x.trigger.exit == exitDone, x)
	return nil
}

// switchedOn: each target of the stack that may be applied was applied, and no other one
// had anything to apply.
func switchedOn(m *managerRun, stack pipeline.StackName) bool {
	if m == nil {
		return false
	}
	applied := 0
	rest := &managerRun{applies: m.applies, outcomes: map[string]string{}}
	for name, outcome := range m.outcomes {
		switch {
		case stackOf(name) != stack:
			rest.outcomes[name] = outcome
		case outcome == string(pipeline.OutcomeApplied):
			applied++
		case slices.Contains(m.applies, name):
			return false
		}
	}
	return applied > 0 && nothingToApply(rest)
}

// stackOf is the stack of a target by its name, such as "staging/network".
func stackOf(target string) pipeline.StackName {
	_, stack, _ := strings.Cut(target, "/")
	return pipeline.StackName(stack)
}
