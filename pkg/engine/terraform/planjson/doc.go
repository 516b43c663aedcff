// Package planjson turns the JSON of a saved plan into a pipeline.Plan.
package planjson
