package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// How long the cluster may take to know a kind that was defined, and how often it is asked.
const (
	definitionTime = time.Minute
	firstPause     = 300 * time.Millisecond
	longestPause   = 3 * time.Second
	// spared is left of the time of an apply for what comes after the wait.
	spared = 15 * time.Second
)

// readiness is how far an object has got.
type readiness struct {
	ready  bool
	failed bool // it will never be
	why    string
}

func notYet(format string, args ...any) readiness {
	return readiness{why: redact.Clean(fmt.Sprintf(format, args...))}
}

// condition is one condition of the status of an object.
func condition(o map[string]any, kind string) (status, said string) {
	all, _ := at(o, "status", "conditions").([]any)
	for _, c := range all {
		if textAt(c, "type") == kind {
			said = textAt(c, "reason")
			if message := textAt(c, "message"); message != "" {
				said += ": " + message
			}
			return textAt(c, "status"), clip(said, maxSummary)
		}
	}
	return "", ""
}

func number(o map[string]any, otherwise int64, path ...string) int64 {
	n, ok := at(o, path...).(json.Number)
	if !ok {
		return otherwise
	}
	i, err := n.Int64()
	if err != nil {
		return otherwise
	}
	return i
}

// isReady says whether the controllers of the cluster have done what an object asks. What no
// controller reports on is ready as soon as it is there.
func isReady(o map[string]any, composed bool) readiness {
	if textAt(o, "metadata", "deletionTimestamp") != "" {
		return notYet("it is being deleted")
	}
	kind := refOf(o).kind()
	observed := number(o, -1, "status", "observedGeneration")
	if generation := number(o, 0, "metadata", "generation"); observed >= 0 && observed < generation {
		return notYet("its controller has not looked at the change yet")
	}
	replicas := number(o, 1, "spec", "replicas")
	switch kind {
	case "Deployment.apps", "ReplicaSet.apps", "StatefulSet.apps":
		if status, why := condition(o, "Progressing"); status == "False" && strings.HasPrefix(why, "ProgressDeadlineExceeded") {
			return readiness{failed: true, why: redact.Clean(why)}
		}
		field := map[string]string{"Deployment.apps": "availableReplicas", "ReplicaSet.apps": "availableReplicas", "StatefulSet.apps": "readyReplicas"}[kind]
		have, updated := number(o, 0, "status", field), replicas
		if kind != "ReplicaSet.apps" {
			updated = number(o, 0, "status", "updatedReplicas")
		}
		if total := number(o, 0, "status", "replicas"); observed < 0 && replicas > 0 || updated < replicas || have < replicas || kind == "Deployment.apps" && total > updated {
			return notYet("%d of %d replicas are up to date, %d are available", min(updated, replicas), replicas, have)
		}
		return readiness{ready: true}
	case "DaemonSet.apps":
		wanted := number(o, 0, "status", "desiredNumberScheduled")
		if have := number(o, 0, "status", "numberAvailable"); observed < 0 || have < wanted || number(o, 0, "status", "updatedNumberScheduled") < wanted {
			return notYet("%d of %d pods are available", have, wanted)
		}
		return readiness{ready: true}
	case "Job.batch":
		if status, why := condition(o, "Failed"); status == "True" {
			return readiness{failed: true, why: redact.Clean(why)}
		}
		if status, _ := condition(o, "Complete"); status != "True" {
			return notYet("it has not ended")
		}
		return readiness{ready: true}
	case "Pod":
		if phase := textAt(o, "status", "phase"); phase == "Failed" {
			return readiness{failed: true, why: "it has failed"}
		} else if phase == "Succeeded" {
			return readiness{ready: true}
		}
		if status, why := condition(o, "Ready"); status != "True" {
			return notYet("it is not ready (%s)", why)
		}
		return readiness{ready: true}
	case "Service":
		if ingress, _ := at(o, "status", "loadBalancer", "ingress").([]any); textAt(o, "spec", "type") == "LoadBalancer" && len(ingress) == 0 {
			return notYet("it has no load balancer yet")
		}
		return readiness{ready: true}
	}
	for _, name := range []string{"Established", "Synced", "Ready"} {
		status, why := condition(o, name)
		if needed := composed && isCustom(refOf(o)) && name != "Established"; status == "" && !needed || status == "True" {
			continue
		}
		if why == "" {
			why = "nothing is said of it"
		}
		return notYet("%s is not true (%s)", name, why)
	}
	return readiness{ready: true}
}

// isCustom reports whether a kind is not one of Kubernetes itself.
func isCustom(r ref) bool {
	group := r.group()
	return strings.Contains(group, ".") && !strings.HasSuffix(group, ".k8s.io") && r.phase() == phaseOthers
}

// pause waits for a while, longer each time.
func pause(ctx context.Context, p *time.Duration) error {
	if *p = min(max(*p*3/2, firstPause), longestPause); ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(*p):
		return nil
	}
}

// established waits until the cluster knows the kinds that were defined.
func (r *run) established(ctx context.Context, objects []sealedObject) error {
	var p time.Duration
	for deadline := time.Now().Add(definitionTime); ; {
		if err := r.read(ctx, objects); err != nil {
			return err
		}
		open := slices.IndexFunc(objects, func(o sealedObject) bool {
			status, _ := condition(r.now[o.key()], "Established")
			return status != "True"
		})
		if open < 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return r.w.rejected("the apply", []pipeline.Diagnostic{r.w.diagnose(r.object(objects[open].ref), "the cluster has not taken up the definition")})
		}
		if err := pause(ctx, &p); err != nil {
			return err
		}
	}
}

// wait waits until all objects are ready, and those that were deleted are gone. The end of the
// time is no failure: what the plan holds is applied.
func (r *run) wait(ctx context.Context, objects []sealedObject) error {
	limit := r.w.job.Tool().Kubernetes.Wait
	if limit == 0 {
		limit = defaultWait
	}
	start := time.Now()
	deadline := start.Add(limit)
	if end, bounded := ctx.Deadline(); bounded && end.Add(-spared).Before(deadline) {
		deadline = end.Add(-spared)
	}
	var p time.Duration
	last := ""
	for {
		open, failed := r.open(objects)
		switch {
		case len(failed) > 0:
			r.lookAtComposed(ctx, objects)
			return r.w.rejected("the apply", failed)
		case len(open) == 0:
			r.lookAtComposed(ctx, objects)
			return nil
		case limit < 0 || time.Now().After(deadline):
			r.lookAtComposed(ctx, objects)
			summary := fmt.Sprintf("still waiting: %d of the objects of %s are not ready", len(open), r.w.job.Target())
			if limit > 0 {
				summary += " after " + time.Since(start).Round(time.Second).String()
			}
			d := pipeline.Diagnostic{Warning: true, Summary: summary, Detail: clip(strings.Join(open, "\n"), maxDetail)}
			r.w.filter.Diagnostic(&d)
			r.w.log.Diagnostic(d)
			r.diagnostics = append(r.diagnostics, d)
			if limit < 0 {
				return nil
			}
			return &pipeline.WaitingError{Stage: "ready", Message: d.Summary + ": " + r.w.filter.Text(clip(open[0], maxSummary)),
				Next: "the plan is applied as it was shown; your service provider looks in the cluster what the objects wait for"}
		}
		if now := strings.Join(open, "\n"); now != last {
			r.w.log.Print("waiting for " + strings.Join(open, "\nwaiting for "))
			last = now
		}
		if err := pause(ctx, &p); err != nil {
			return err
		}
		if err := r.read(ctx, objects); err != nil {
			return err
		}
	}
}

// open says what is not ready yet, and what will never be.
func (r *run) open(objects []sealedObject) (open []string, failed []pipeline.Diagnostic) {
	for _, o := range objects {
		now, there := r.now[o.key()]
		if o.Action == pipeline.ActionDelete {
			if there {
				open = append(open, o.ref.String()+": it is being deleted")
			}
			continue
		}
		if !there {
			continue // of the inventory, and gone
		}
		switch state := isReady(now, r.w.tool.name == crossplaneName); {
		case state.failed:
			failed = append(failed, r.w.diagnose(r.object(o.ref), state.why))
		case !state.ready:
			open = append(open, o.ref.String()+": "+state.why)
		}
	}
	return open, failed
}
