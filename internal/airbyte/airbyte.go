// Package airbyte speaks the Airbyte protocol of today for a source: it decodes the files a source is given (configured
// catalog, state) and writes the messages it answers with.
//
// The vocabulary is that of github.com/bitstrapped/airbyte, taken as it is where the protocol has not moved since 2022
// (SyncMode, DestinationSyncMode, LogLevel) and extended by embedding and shadowing where it has (Stream,
// ConfiguredStream). The SDK's runner, argv parser, record, state and log writers are not on our path, on purpose:
//   - it decodes json_schema into structs that refuse `"type":"string"`, so most configured catalogs end the program;
//   - it writes `"namespace":""`, which fails a sync on today's platform, and LEGACY states, which do so too;
//   - it has no TRACE, no CONTROL, no sourceStats, and no message in CONNECTION_STATUS;
//   - it panics on a short argv, exits 0 on an unknown verb, and puts prose where a TRACE ERROR belongs;
//   - it marshals each record by reflection and writes it with a system call of its own, about fifty times the cost of
//     appending Okta's bytes to a buffer.
//
// This package knows nothing of Okta and imports nothing else of this module.
//
// Protocol: https://github.com/airbytehq/airbyte-protocol, protocol-models/…/airbyte_protocol.yaml.
package airbyte

import sdk "github.com/bitstrapped/airbyte"

// SyncMode is how a stream is asked to be read. A configured catalog may hold any string; see DecodeCatalog.
type SyncMode = sdk.SyncMode

// The sync modes that the protocol knows.
const (
	SyncModeFullRefresh = sdk.SyncModeFullRefresh
	SyncModeIncremental = sdk.SyncModeIncremental
)

// DestinationSyncMode is how a destination is asked to write a stream. A source passes no judgement on it.
type DestinationSyncMode = sdk.DestinationSyncMode

// LogLevel is the level of a LOG message.
type LogLevel = sdk.LogLevel

// The levels that a source logs at; whatever is fatal is a TRACE ERROR.
const (
	LogLevelError = sdk.LogLevelError
	LogLevelWarn  = sdk.LogLevelWarn
	LogLevelInfo  = sdk.LogLevelInfo
	LogLevelDebug = sdk.LogLevelDebug
)

// StreamStatus is the state of one stream in a read, told by TRACE STREAM_STATUS.
type StreamStatus string

// The statuses of a stream. Complete and Incomplete are final: the platform ignores what follows them.
const (
	Started    StreamStatus = "STARTED"
	Running    StreamStatus = "RUNNING"
	Complete   StreamStatus = "COMPLETE"
	Incomplete StreamStatus = "INCOMPLETE"
)

// FailureType tells the platform whose turn it is. The earliest ERROR trace of an attempt decides: after a ConfigError the job
// fails without a retry.
type FailureType string

const (
	// ConfigError is for the user to mend: credentials, permissions, options, files.
	ConfigError FailureType = "config_error"
	// SystemError is a fault of the connector or of what it did not expect; the platform retries.
	SystemError FailureType = "system_error"
	// TransientError passes by itself: network, rate limits, an Okta outage; the platform retries.
	TransientError FailureType = "transient_error"
)
