package iam

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// encoded is jsonencode(…) of a JSON document, in the order of the document.
func encoded(document []byte) (hclwrite.Tokens, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	value, err := jsonTokens(d)
	if err != nil {
		return nil, err
	}
	return hclwrite.TokensForFunctionCall("jsonencode", value), nil
}

// jsonTokens reads one value and returns it as an expression.
func jsonTokens(d *json.Decoder) (hclwrite.Tokens, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		if t == providerARN {
			return hclwrite.TokensForTraversal(attributeOf("aws_iam_openid_connect_provider", "github", "arn")), nil
		}
		return hclwrite.TokensForValue(cty.StringVal(t)), nil
	case bool:
		return hclwrite.TokensForValue(cty.BoolVal(t)), nil
	case json.Delim:
		if t == '[' {
			return jsonList(d)
		}
		return jsonObject(d)
	}
	return nil, fmt.Errorf("a policy has no %v", token)
}

// jsonList writes a list of several values on a line each.
func jsonList(d *json.Decoder) (hclwrite.Tokens, error) {
	var items []hclwrite.Tokens
	for d.More() {
		item, err := jsonTokens(d)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if len(items) < 2 {
		return hclwrite.TokensForTuple(items), nil
	}
	list := hclwrite.Tokens{{Type: hclsyntax.TokenOBrack, Bytes: []byte("[")}, newline()}
	for _, item := range items {
		list = append(append(list, item...), &hclwrite.Token{Type: hclsyntax.TokenComma, Bytes: []byte(",")}, newline())
	}
	return append(list, &hclwrite.Token{Type: hclsyntax.TokenCBrack, Bytes: []byte("]")}), nil
}

func jsonObject(d *json.Decoder) (hclwrite.Tokens, error) {
	var attributes []hclwrite.ObjectAttrTokens
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := jsonTokens(d)
		if err != nil {
			return nil, err
		}
		name := hclwrite.TokensForValue(cty.StringVal(fmt.Sprint(key)))
		if hclsyntax.ValidIdentifier(fmt.Sprint(key)) {
			name = hclwrite.TokensForIdentifier(fmt.Sprint(key))
		}
		attributes = append(attributes, hclwrite.ObjectAttrTokens{Name: name, Value: value})
	}
	_, err := d.Token()
	return hclwrite.TokensForObject(attributes), err
}

func newline() *hclwrite.Token {
	return &hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")}
}
