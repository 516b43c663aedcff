package fault

import "github.com/metapipe/metapipe/pkg/acceptance/fixture"

func current(c *fixture.Runner) fixture.StepName {
	c.Mu.Lock()
	defer c.Mu.Unlock()
	return c.Running
}
