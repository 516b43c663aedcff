package render

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// CustomerJob is what the job of a customer's repository that asked for infrastructure
// knows at its end.
type CustomerJob struct {
	Result  intake.TriggerResult
	Err     error // why the job fails; nil where it does not
	Manager pipeline.Slug
	// Pull is the page of the pull request, whose comment has the plans; empty
	// outside of one.
	Pull    string
	LeftOut []LeftOut
}

// LeftOut is an output that is too large for the job's output.
type LeftOut struct {
	Target string // its name: "staging", or "staging/network"
	Name   string
	Bytes  int
}

const shownOutput = 200 // characters of the value of one output

// Customer is the summary of the customer's own job, as GitHub Markdown: the outcome
// of each target, the problems of variables.yml with their lines, the outputs, and
// where the plans are.
func (r Renderer) Customer(j CustomerJob) string {
	sign := signGood
	var waiting *pipeline.WaitingError
	switch {
	case errors.As(j.Err, &waiting):
		sign = "⏳"
	case j.Err != nil:
		sign = signBad
	case j.Result.Skipped != "" && j.Result.Outcome == "": // nothing was looked at
		sign = "⏭️"
	}
	s := scribe{sink: summarySink, room: size{DefaultSummaryBytes, DefaultSummaryBytes}}
	head := "### " + sign + " Infrastructure\n\n" + j.sentence() + j.targets()
	problems := ""
	if len(j.Result.Problems) > 0 {
		reason := pipeline.ReasonInvalidVariables
		if j.Result.Problems.Err() == nil {
			reason = ""
		}
		problems = s.problems(pipeline.Request{Reason: reason, Problems: j.Result.Problems}, s.room.part(1, 2))
	}
	return head + problems + s.content(j.Result.Content) + j.outputs() + j.leftOut() + j.where()
}

// sentence says how it ended.
func (j CustomerJob) sentence() string {
	switch {
	case j.Result.Skipped != "":
		return plainText(j.Result.Skipped) + "\n\n"
	case j.Result.Description == "" && j.Result.Content != nil && j.Result.Content.Fails() && j.Err != nil:
		return "The files of this repository do not fit its content type. The manager got no request, so there is no new comment.\n\n"
	case len(j.Result.Problems) > 0 && j.Err != nil:
		return "`variables.yml` has problems. They are listed here, and in the log of this job. " +
			"The manager got no request, so there is no new comment. An existing comment is about an earlier commit.\n\n"
	case j.Result.Description == "" && j.Err != nil:
		return plainText(clip(j.Err.Error(), 2000)) + "\n\n"
	case j.Result.Description == "":
		return "The request was sent.\n\n"
	}
	return plainText(j.Result.Description) + "\n\n"
}

func (j CustomerJob) targets() string {
	if len(j.Result.Targets) == 0 {
		return ""
	}
	named := func(t intake.TargetStatus) bool { return isStack(t.Name) }
	text := "| " + nameColumn(slices.ContainsFunc(j.Result.Targets, named)) + " | Outcome |\n| --- | --- |\n"
	for _, e := range j.Result.Targets {
		sign, ok := map[pipeline.StatusState]string{pipeline.StatusSuccess: signGood, pipeline.StatusPending: "⏳"}[e.State]
		switch {
		case !ok:
			sign = signBad
		case e.Waits:
			sign = "⏳"
		}
		text += fmt.Sprintf("| %s | %s %s |\n", cell(code(clip(e.Name, nameRoom))), sign, cell(plainText(e.Description)))
	}
	return text + "\n"
}

func (j CustomerJob) outputs() string {
	text, stacks := "", false
	for _, target := range slices.Sorted(maps.Keys(j.Result.Outputs)) {
		all := j.Result.Outputs[target]
		stacks = stacks || isStack(target)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if line := "| " + cell(code(clip(target, nameRoom))) + " | " + cell(code(clip(name, 100))) + " | " + cell(code(tidy(all[name], toEscapes, shownOutput))) +
				" |\n"; len(text)+len(line) < DefaultSummaryBytes/4 {
				text += line
			}
		}
	}
	if text == "" {
		return ""
	}
	return "#### Outputs\n\n| " + nameColumn(stacks) + " | Output | Value |\n| --- | --- | --- |\n" + text + "\n"
}

func (j CustomerJob) leftOut() string {
	if len(j.LeftOut) == 0 {
		return ""
	}
	text := signCare + " GitHub takes at most 1 MiB of outputs from a job, so these are not in the output `outputs` of this job. They are in the payload of the deployment of their environment:\n\n"
	for i, l := range j.LeftOut {
		if i == 100 {
			text += fmt.Sprintf("- and %d more\n", len(j.LeftOut)-i)
			break
		}
		text += fmt.Sprintf("- %s of %s (%d bytes)\n", code(clip(l.Name, 100)), code(clip(l.Target, nameRoom)), l.Bytes)
	}
	return text + "\n"
}

// where says where the plans are, and who can open it.
func (j CustomerJob) where() string {
	var parts []string
	if pull := address(j.Pull); pull != "" && j.Result.Request != "" {
		parts = append(parts, "The plans are in the "+link("comment on the pull request", pull))
	}
	if run := address(j.Result.RunURL); run != "" {
		parts = append(parts, link("Run of the manager", run)+": it opens only for people who may read "+codeOr(clip(j.Manager.String(), 140), "the manager"))
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ". ") + ".\n"
}
