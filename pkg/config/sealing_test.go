package config

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/strictyaml"
)

func TestKeyIDThatLooksLikeASecret(t *testing.T) {
	t.Parallel()
	for id, warned := range map[string]bool{
		"alias/plans": false, "1234abcd-12ab-34cd-56ef-1234567890ab": false, "mrk-1234abcd12ab34cd56ef1234567890ab": false,
		"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab": false, "plans": false,
		strings.Repeat("q9", 16): true, "AKIA" + "Q2W3E4R5T6Y7U7I2": true, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzzzzz": true,
	} {
		d := &decoder{file: "f"}
		var got string
		d.keyID(value{Node: &strictyaml.Node{Kind: strictyaml.String, Text: id}, name: "kms_key"}, &got)
		if got != id || (len(d.problems) == 1) != warned || d.problems.Err() != nil {
			t.Errorf("%s: %v", id, d.problems)
		}
		if warned && strings.Contains(d.problems.Error(), id) {
			t.Errorf("the value is repeated: %v", d.problems)
		}
	}
}
