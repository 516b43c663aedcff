package rehearsal

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// Approve says who answers at the gates.
type Approve string

// The answers: ask the person at the terminal, or always the same.
const (
	ApprovePrompt Approve = "ask"
	ApproveYes    Approve = "yes"
	ApproveNo     Approve = "no"
)

// ParseApprove checks that s is one of the answers.
func ParseApprove(s string) (Approve, error) {
	switch a := Approve(s); a {
	case ApprovePrompt, ApproveYes, ApproveNo:
		return a, nil
	}
	return "", pipeline.Usagef("--approve %q is not known", s).Nextf("%suse --approve ask, --approve yes or --approve no", pipeline.DidYouMean(s, []string{"ask", "yes", "no"}))
}

// Options say what is rehearsed and for whom.
type Options struct {
	Binary      string // path of the metapipe binary that the jobs run
	ManagerDir  string
	CustomerDir string
	// InboxDir is a checkout of the inbox that forwards the requests of customers. Empty: customers
	// send them to the manager.
	InboxDir string
	// Customer is the name of a file in customers/, without .yml. Empty: the one
	// that belongs to CustomerDir, as far as that is clear.
	Customer string
	// Tool looks for the tool that the manager asks for, so that a missing one is
	// reported once and not by every plan; nil: not checked.
	Tool func(context.Context, pipeline.ToolRule) error
	// Proposal is a file with the variables.yml that the pull request proposes.
	// Empty: uncommitted edits are the proposal, else the whole file is.
	Proposal string
	// CustomerWorkflow plays the customer's workflow also where it is not as shipped. Its scripts
	// then run as the user.
	CustomerWorkflow bool
	Approve          Approve
	// Out is the folder for what every party would see. It must be new or empty;
	// empty: a new folder under ./rehearsal.
	Out      string
	In       io.Reader // the answers at the gates with ApprovePrompt
	Terminal io.Writer
	Color    bool
	Width    int      // columns of the terminal; 0: lines are not cut
	Environ  []string // as of os.Environ; jobs see an allow-list of it
	Now      func() time.Time
}

// check fills in what may be left out, and makes directories absolute.
func (o *Options) check() error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Terminal == nil {
		o.Terminal = io.Discard
	}
	if o.Approve == "" {
		o.Approve = ApprovePrompt
	}
	if _, err := ParseApprove(string(o.Approve)); err != nil {
		return err
	}
	if o.Approve == ApprovePrompt && o.In == nil {
		return pipeline.Usagef("there is no terminal to ask for approval").Nextf("use --approve yes or --approve no")
	}
	for _, p := range []struct {
		path *string
		flag string
	}{{&o.Binary, "binary"}, {&o.ManagerDir, "manager-dir"}, {&o.CustomerDir, "customer-dir"}} {
		if *p.path == "" {
			return pipeline.Usagef("%s is not set", p.flag).Nextf("name it")
		}
		abs, err := filepath.Abs(*p.path)
		if err != nil {
			return fmt.Errorf("%s: %w", p.flag, err)
		}
		*p.path = abs
	}
	if o.InboxDir != "" {
		abs, err := filepath.Abs(o.InboxDir)
		if err != nil {
			return fmt.Errorf("inbox-dir: %w", err)
		}
		o.InboxDir = abs
	}
	return nil
}

// PageFile is the page of the whole story, in the folder of a rehearsal.
const PageFile = "story.html"

// Result is what became of a rehearsal.
type Result struct {
	Out    string // folder with everything; absolute
	Report story.Story
	// Steps are the parts of the story, with what was expected of them.
	Steps []Step
	// Pending are statuses that did not end, as "commit context". Nothing may
	// hang, so each one is a failure of the rehearsal.
	Pending []string
}

// Step is one part of the story.
type Step struct {
	Name     string
	Expected string
	Got      string
	OK       bool
	LeftOut  bool // not played; Got says why
	Took     time.Duration
}

// OK reports whether everything went as a rehearsal expects.
func (r Result) OK() bool {
	for _, s := range r.Steps {
		if !s.OK {
			return false
		}
	}
	return len(r.Pending) == 0 && len(r.Steps) > 0
}
