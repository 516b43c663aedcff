package pipeline

func TargetName(c CustomerName, env Environment) string { return string(c) + "/" + string(env) }
