package iam

import (
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestQuoted compares literals with those of Terraform's own library.
func TestQuoted(t *testing.T) {
	t.Parallel()
	for _, s := range append(untrusted.Strings(t), "${a} %{if}$${b}", `"\`, "\x00\x1f\u2028\U000e0001", "$", "%", "") {
		value := cty.StringVal(s) // in the form NFC
		if got, want := quoted(value.AsString()), string(hclwrite.TokensForValue(value).Bytes()); got != want {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
	}
}

// TestFormatted formats roles of every kind with Terraform's own library.
func TestFormatted(t *testing.T) {
	t.Parallel()
	document := []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","a:b":true,"Principal":{"AWS":"${provider}"},"Action":[]},{"One":["x"],"Two":["${x}","y"],"No":{}}]}`)
	got, err := Roles{
		Head: []string{"a", "", "b\nc"}, Issuer: "https://issuer.example", Boundary: "boundary", BoundaryPolicy: document,
		Roles: []Role{
			{Label: "plan", Name: "plan", Path: "/tenants/", Description: "a \"b\" ${c}", Subjects: []string{"repo:a/b:environment:c", "$"}, Session: time.Hour, Bounded: true, Variable: "plan_policy_arns",
				Policies: []Policy{{Name: "store", Document: document}}},
			{Label: "apply", Name: "apply", Path: "/", Subjects: []string{"repo:a/b:environment:c"}},
		},
		Outputs: []Output{{Name: "ROLE", Description: "d", Label: "plan"}},
	}.HCL()
	if err != nil {
		t.Fatal(err)
	}
	if want := string(hclwrite.Format(got)); string(got) != want {
		t.Errorf("got\n%s\nformatted\n%s", got, want)
	}
}
