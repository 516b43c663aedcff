package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// ComplianceSARIF is a scan as a SARIF 2.1.0 log, as GitHub's code scanning takes it: each result stands at its
// rule in compliance.yml, and names the repository as a logical location.
// https://docs.github.com/code-security/reference/code-scanning/sarif-support-for-code-scanning
func ComplianceSARIF(r compliance.Report, version string) ([]byte, error) {
	run := sarifRun{Results: []sarifResult{}, Tool: sarifTool{sarifDriver{Name: "metapipe compliance", Version: version, InformationURI: "https://github.com/metapipe/metapipe", Rules: []sarifRule{}}}}
	rules := map[compliance.RuleID]bool{}
	for _, f := range r.Findings {
		if !rules[f.Rule] {
			rules[f.Rule] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: string(f.Rule), ShortDescription: sarifText{string(f.Rule)}})
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: string(f.Rule), Level: sarifLevels[f.Severity], Message: sarifText{fmt.Sprintf("%s: %s → %s", f.Repository, TerminalLine(f.Message), TerminalLine(f.Remedy))},
			Locations: []sarifLocation{{sarifPhysical{sarifArtifact{compliance.File}, sarifRegion{max(f.Where.Line, 1)}}, []sarifLogical{{f.Repository.String()}}}},
			// The repository's id and not its name: a renamed one has no new findings.
			PartialFingerprints: map[string]string{"finding/v1": fingerprint(f)}, Properties: map[string]string{"severity": string(f.Severity), "repository": f.Repository.String()},
		})
	}
	run.Invocations = []sarifInvocation{{len(r.Unknown) == 0, []sarifNotification{}}}
	for _, u := range r.Unknown {
		run.Invocations[0].Notifications = append(run.Invocations[0].Notifications, sarifNotification{sarifText{TerminalLine(UnknownName(u) + ": " + u.Reason)}, "error"})
	}
	out, err := json.MarshalIndent(sarifLog{"https://json.schemastore.org/sarif-2.1.0.json", "2.1.0", []sarifRun{run}}, "", "  ")
	return append(out, '\n'), err
}

func fingerprint(f compliance.Finding) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s\x00%s", f.RepositoryID, f.Rule, f.Property))
	return hex.EncodeToString(sum[:16])
}

var sarifLevels = map[compliance.Severity]string{compliance.Critical: "error", compliance.High: "error", compliance.Medium: "warning", compliance.Low: "note"}

// The parts of SARIF that are written. https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications"`
	}
	sarifNotification struct {
		Message sarifText `json:"message"`
		Level   string    `json:"level"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		Locations           []sarifLocation   `json:"locations"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Properties          map[string]string `json:"properties"`
	}
	sarifLocation struct {
		Physical sarifPhysical  `json:"physicalLocation"`
		Logical  []sarifLogical `json:"logicalLocations"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine int `json:"startLine"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
	}
)
