package iam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// encoded is jsonencode(…) of a JSON document, in the order of the document.
func encoded(document []byte) (code, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	value, err := expression(d)
	if err != nil {
		return nil, err
	}
	return value.wrapped("jsonencode(", ")"), nil
}

// expression reads one JSON value and returns it as an expression.
func expression(d *json.Decoder) (code, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := token.(type) {
	case string:
		if t == providerARN {
			return text("aws_iam_openid_connect_provider.github.arn"), nil
		}
		return str(t), nil
	case bool:
		return text(strconv.FormatBool(t)), nil
	case json.Delim:
		if t == '[' {
			return listOf(d)
		}
		return objectOf(d)
	}
	return nil, fmt.Errorf("a policy has no %v", token)
}

func listOf(d *json.Decoder) (code, error) {
	var items []code
	for d.More() {
		item, err := expression(d)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := d.Token()
	return list(items), err
}

func objectOf(d *json.Decoder) (code, error) {
	var attributes []code
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		value, err := expression(d)
		if err != nil {
			return nil, err
		}
		name := fmt.Sprint(key)
		if !hclsyntax.ValidIdentifier(name) {
			name = quoted(name)
		}
		attributes = append(attributes, attribute(name, value))
	}
	_, err := d.Token()
	return object(attributes...), err
}
