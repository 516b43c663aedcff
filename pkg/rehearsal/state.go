package rehearsal

import (
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub"
	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
)

// rehearsal is everything that a running rehearsal needs.
type rehearsal struct {
	opts     Options
	setup    *setup
	narrator *narrator
	folder   *folder
	watcher  *watcher
	masks    *runner.Masks
	input    *input

	mu          sync.Mutex
	calls       []stepCalls
	firstFailed string // the first step of somebody's own with which a job has failed
	concurrency map[*hub.Repo]*runner.Groups

	part   int // of the story
	title  string
	began  time.Time
	number int // of the pull request
	steps  []Step
}

// stepCalls are the requests to GitHub that one step made.
type stepCalls struct {
	Step   string     `json:"step"`
	Reads  int        `json:"reads"`
	Writes int        `json:"writes"`
	Calls  []hub.Call `json:"calls"`
}
