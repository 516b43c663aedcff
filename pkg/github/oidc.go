package github

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// subjectResponse has no form without use_default: GitHub requires it.
type subjectResponse struct {
	UseDefault *bool    `json:"use_default"`
	Keys       []string `json:"include_claim_keys"`
	Immutable  *bool    `json:"use_immutable_subject"`
	Prefix     string   `json:"sub_claim_prefix"`
}

// SubjectClaim reads how the claim sub of the repository's ID tokens is formed.
func (c *Client) SubjectClaim(ctx context.Context, slug pipeline.Slug) (pipeline.SubjectClaim, error) {
	k := get(slug, "read the subject of its ID tokens", "/repos/{owner}/{repo}/actions/oidc/customization/sub")
	var got subjectResponse
	if _, err := c.send(ctx, k, nil, &got); err != nil {
		return pipeline.SubjectClaim{}, err
	}
	if got.UseDefault == nil {
		return pipeline.SubjectClaim{}, k.fail(errors.New("the answer lacks use_default"))
	}
	return pipeline.SubjectClaim{Default: *got.UseDefault, Keys: got.Keys, Immutable: got.Immutable, Prefix: got.Prefix}, nil
}
