package scans

import (
	"slices"
	"testing"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestShardsAreBalanced(t *testing.T) {
	t.Parallel()
	history := History{Targets: map[string]TargetHistory{"slow/s": {Duration: pipeline.Seconds(90 * time.Second)}, "a/s": {Duration: pipeline.Seconds(10 * time.Second)}, "b/s": {Duration: pipeline.Seconds(10 * time.Second)}}}
	var targets []Target
	for _, name := range []pipeline.CustomerName{"a", "b", "c", "d", "slow"} {
		targets = append(targets, Target{Target: pipeline.Target{Customer: name, Environment: "s"}})
	}
	balance(targets, 2, history)
	shards := map[int][]pipeline.CustomerName{}
	for _, target := range targets {
		shards[target.Shard] = append(shards[target.Shard], target.Customer)
	}
	if len(shards) != 2 || len(shards[1]) == 5 || len(shards[2]) == 5 || slices.Contains(shards[targets[4].Shard], "a") {
		t.Errorf("shards %v", shards)
	}
}
