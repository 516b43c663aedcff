package pipeline

import (
	"encoding/json"
	"fmt"
	"time"
)

// Seconds is a duration that JSON writes as a number of seconds.
type Seconds time.Duration

// MarshalJSON writes the seconds with up to nine decimals.
func (s Seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(raw []byte) error {
	var seconds float64
	if err := json.Unmarshal(raw, &seconds); err != nil {
		return fmt.Errorf("a number of seconds: %w", err)
	}
	*s = Seconds(seconds * float64(time.Second))
	return nil
}
