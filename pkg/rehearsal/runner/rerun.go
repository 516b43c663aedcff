package runner

import (
	"maps"
	"path"
	"strings"
)

// Rerun is Run.Kept of the attempt that plays the failed jobs of a run again (the button *Re-run failed jobs*): the
// jobs that succeeded keep their results and outputs, but for those that wait for one that is played. Source:
// https://docs.github.com/en/actions/how-tos/manage-workflow-runs/re-run-workflows-and-jobs
func (w *Workflow) Rerun(before Result) map[string]Kept {
	kept := map[string]Kept{}
	for _, j := range before.Jobs {
		if j.Result == Success {
			kept[j.Path] = Kept{j.Result, j.Outputs}
		}
	}
	played := map[string]bool{}
	for _, j := range before.Jobs {
		if j.Result != Success {
			w.depend("", j.Path, played)
		}
	}
	maps.DeleteFunc(kept, func(of string, _ Kept) bool {
		for ; of != "."; of = parent(of) {
			if played[of] {
				return true
			}
		}
		return false
	})
	return kept
}

// depend notes the jobs that wait for a job at a path, in its own workflow and in those that call it. prefix is
// what the paths of this workflow's jobs begin with.
func (w *Workflow) depend(prefix, of string, played map[string]bool) {
	name, _, _ := strings.Cut(strings.TrimPrefix(of, prefix), " (") // a matrix
	name, inner, _ := strings.Cut(name, "/")
	id := strings.ToLower(name)
	for other, job := range w.Jobs {
		for _, a := range w.ancestors(other) {
			if a == id {
				played[prefix+job.ID.Value] = true
			}
		}
	}
	if next := w.calls[id]; inner != "" && next != nil {
		next.depend(prefix+name+"/", of, played)
	}
}

// parent is the path of the job that calls the workflow of a job, or of all jobs of its matrix; "." for none.
func parent(of string) string {
	if job, _, matrix := strings.Cut(of, " ("); matrix {
		return job
	}
	return path.Dir(of)
}

// keep takes the result and the outputs of a job, or of all jobs of a matrix, that is not played.
func (f *frame) keep(id, name string) (result string, kept bool) {
	k, kept := f.Kept[f.path+name]
	if !kept {
		return "", false
	}
	n := f.nodes[id]
	n.mu.Lock()
	defer n.mu.Unlock()
	maps.Copy(n.outputs, k.Outputs)
	return k.Result, true
}

// Paths are those of all jobs with steps, the jobs of called workflows among them. A matrix is one path.
func (w *Workflow) Paths() (paths []string) {
	for _, id := range sorted(w.Jobs) {
		name := w.Jobs[id].ID.Value
		if called := w.calls[id]; called != nil {
			for _, inner := range called.Paths() {
				paths = append(paths, name+"/"+inner)
			}
			continue
		}
		paths = append(paths, name)
	}
	return paths
}
