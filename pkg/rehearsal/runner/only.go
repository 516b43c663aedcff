package runner

import (
	"maps"

	"github.com/rhysd/actionlint"
)

// Only leaves out the jobs that play does not want, but for those that the rest needs. It returns the ids of the
// jobs that are left out.
func (w *Workflow) Only(play func(*actionlint.Job) bool) (leftOut []string) {
	keep := map[string]bool{}
	for id, job := range w.Jobs {
		if play(job) {
			keep[id] = true
			for _, a := range w.ancestors(id) {
				keep[a] = true
			}
		}
	}
	for _, id := range sorted(w.Jobs) {
		if !keep[id] {
			leftOut = append(leftOut, w.Jobs[id].ID.Value)
		}
	}
	maps.DeleteFunc(w.Jobs, func(id string, _ *actionlint.Job) bool { return !keep[id] })
	return leftOut
}

// Scripts are the scripts of a job's steps.
func Scripts(job *actionlint.Job) (scripts []string) {
	for _, step := range job.Steps {
		if run, ok := step.Exec.(*actionlint.ExecRun); ok && run.Run != nil {
			scripts = append(scripts, run.Run.Value)
		}
	}
	return scripts
}
