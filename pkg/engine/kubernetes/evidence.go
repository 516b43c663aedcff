package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// artifactObjects holds what the apply does: the objects as they are sent, and what they are
// made on.
const artifactObjects = "objects"

// The evidence of a plan, beside what each engine says: SHA-256 digests.
const (
	evidenceManifests = "manifests" // of the root of the stack
	evidenceVariables = "variables"
	evidenceCluster   = "cluster" // its address and the namespace of the target
)

func ownEvidence() []string { return []string{evidenceManifests, evidenceVariables, evidenceCluster} }

func newEvidence(tool pipeline.ToolVersion) pipeline.PlanEvidence {
	evidence := pipeline.NewPlanEvidence(tool)
	for _, name := range ownEvidence() {
		evidence[name] = ""
	}
	return evidence
}

// checkStored refuses a plan that is not whole, or that says something of itself which this
// engine does not compare.
func checkStored(plan pipeline.StoredPlan) error {
	if err := plan.Verify(); err != nil {
		return err
	}
	return plan.Receipt.Evidence.CheckNames(ownEvidence()...)
}

// same refuses a workspace that is not made from what the receipt says.
func (w *workspace) same(receipt pipeline.Receipt) error {
	refuse := func(reason pipeline.Reason, message string) error {
		return &pipeline.RefusedError{Reason: reason, Message: message, Next: receipt.Mode.Afresh(), Operator: receipt.Mode.Restart()}
	}
	planned := receipt.Evidence
	if w.evidence.ManagerTree() != planned.ManagerTree() {
		return refuse(pipeline.ReasonStaleManager, "the manager directory is not the one that the plan was made from")
	}
	for _, part := range []struct {
		name, what string
		reason     pipeline.Reason
	}{
		{evidenceManifests, "the manifests are not those", pipeline.ReasonTampered},
		{evidenceVariables, "the variables are not those", pipeline.ReasonStaleVariables},
		{evidenceCluster, "the cluster or the namespace is not the one", pipeline.ReasonStaleState},
	} {
		if w.evidence[part.name] != planned[part.name] {
			return refuse(part.reason, part.what+" that the plan was made with")
		}
	}
	return nil
}

// digests notes the parts of the evidence that are in the tree.
func (w *workspace) digests() error {
	sum := sha256.New()
	err := filepath.WalkDir(w.root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(w.root, file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			target, linkErr := os.Readlink(file) // to a directory, or to nothing
			if linkErr != nil {
				return err
			}
			content = []byte("link " + target)
		}
		fmt.Fprintf(sum, "%d %s %d ", len(rel), filepath.ToSlash(rel), len(content))
		sum.Write(content)
		return nil
	})
	if err != nil && !os.IsNotExist(err) {
		return w.failed("read the root of the stack", err)
	}
	w.evidence[evidenceManifests] = hex.EncodeToString(sum.Sum(nil))
	return nil
}
