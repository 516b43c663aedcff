package record

func OrNone(code string) string {
	if code == "" {
		return "none"
	}
	return code
}
