package airbyte

import (
	"encoding/json"
	"strconv"
)

// The messages of the protocol that a source writes, but for RECORD, which Out appends by hand. Their field names are the
// protocol's.
type (
	message struct {
		Type             string            `json:"type"`
		Spec             json.RawMessage   `json:"spec,omitempty"`
		ConnectionStatus *connectionStatus `json:"connectionStatus,omitempty"`
		Catalog          *Catalog          `json:"catalog,omitempty"`
		State            *state            `json:"state,omitempty"`
		Log              *logLine          `json:"log,omitempty"`
		Trace            *trace            `json:"trace,omitempty"`
		Control          *control          `json:"control,omitempty"`
	}

	connectionStatus struct {
		Status  string `json:"status"`
		Message string `json:"message,omitempty"`
	}

	logLine struct {
		Level   LogLevel `json:"level"`
		Message string   `json:"message"`
	}

	state struct {
		Type        string      `json:"type"`
		Stream      streamState `json:"stream"`
		SourceStats sourceStats `json:"sourceStats"`
	}
	streamState struct {
		Descriptor descriptor      `json:"stream_descriptor"`
		State      json.RawMessage `json:"stream_state"`
	}
	sourceStats struct {
		RecordCount decimal `json:"recordCount"`
	}
	descriptor struct {
		Name string `json:"name"`
	}

	trace struct {
		Type         string        `json:"type"`
		EmittedAt    int64         `json:"emitted_at"`
		Error        *traceError   `json:"error,omitempty"`
		Estimate     *estimate     `json:"estimate,omitempty"`
		StreamStatus *streamStatus `json:"stream_status,omitempty"`
	}
	traceError struct {
		Message         string      `json:"message"`
		InternalMessage string      `json:"internal_message,omitempty"`
		StackTrace      string      `json:"stack_trace,omitempty"`
		FailureType     FailureType `json:"failure_type"`
		Stream          *descriptor `json:"stream_descriptor,omitempty"`
	}
	// Both counts are always there: the platform reads them as one pair of numbers.
	estimate struct {
		Name         string `json:"name"`
		Type         string `json:"type"`
		RowEstimate  int64  `json:"row_estimate"`
		ByteEstimate int64  `json:"byte_estimate"`
	}
	streamStatus struct {
		Stream  descriptor     `json:"stream_descriptor"`
		Status  StreamStatus   `json:"status"`
		Reasons []statusReason `json:"reasons,omitempty"`
	}
	statusReason struct {
		Type        string      `json:"type"`
		RateLimited rateLimited `json:"rate_limited"`
	}
	rateLimited struct {
		QuotaReset int64 `json:"quota_reset"`
	}

	control struct {
		Type      string          `json:"type"`
		EmittedAt int64           `json:"emitted_at"`
		Config    connectorConfig `json:"connectorConfig"`
	}
	connectorConfig struct {
		Config json.RawMessage `json:"config"`
	}
)

// decimal is a whole number that is written with a decimal point. The protocol types recordCount as a number and asks for
// the point, so that no reader takes it for an integer.
type decimal int64

func (d decimal) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt(nil, int64(d), 10), ".0"...), nil
}

// TraceError is the content of a TRACE ERROR. The emitter redacts its three texts.
type TraceError struct {
	Message     string      // a sentence for the user: what is wrong and what to do about it
	Internal    string      // the cause, for logs
	Stack       string      // a Go stack; only for what nobody expected
	FailureType FailureType // empty means SystemError
	Stream      string      // empty when the failure is no single stream's
}
