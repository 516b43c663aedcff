package pipelinetest

import "github.com/metapipe/metapipe/pkg/pipeline"

// NameStacks sets the stacks of metapipe.yml; none are one without a name.
func (w *Setup) NameStacks(names ...pipeline.StackName) {
	w.Current.Manager.Stacks = nil
	for _, name := range names {
		w.Current.Manager.Stacks = append(w.Current.Manager.Stacks, pipeline.StackRule{Name: name, Root: string(name), Tool: w.Current.Manager.Tool})
	}
}

// Stack is the input of a stack of an environment.
func Stack(in pipeline.TargetInput, stack pipeline.StackName) pipeline.TargetInput {
	in.Stack = stack
	in.Backend = pipeline.State{}.Target(in.Target(), "/state")
	return in
}
