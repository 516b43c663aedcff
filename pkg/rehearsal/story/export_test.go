package story

var Sanitize = sanitize
