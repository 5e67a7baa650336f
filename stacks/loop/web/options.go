package web

import (
	"errors"
	"fmt"
	"time"

	"github.com/hookd/hookd/engine/event"
	"github.com/hookd/hookd/engine/event/plain"
	"github.com/hookd/hookd/engine/event/setting"
	"github.com/hookd/hookd/stacks/loop/http1"
	"github.com/hookd/hookd/stacks/loop/multipart"
)

// options are what a listener's table http says.
type options struct {
	limits http1.Limits
	body   int64 // bytes of a whole body
	// The deadlines: from the first byte of a head to its end; of a body, beside a
	// second for each bodyRate bytes that came; between requests; for an answer that
	// was promised.
	headerTime, bodyTime, idleTime, replyTime time.Duration
	compress                                  bool
	message                                   int // bytes of a WebSocket message
	pingTime                                  time.Duration
}

// bodyRate is how many bytes a second keep a body from being too late.
const bodyRate = 500

var defaults = options{
	limits: http1.Limits{}.WithDefaults(), body: 1 << 20,
	headerTime: 10 * time.Second, bodyTime: 20 * time.Second, idleTime: time.Minute, replyTime: time.Minute,
	message: 1 << 20, pingTime: 30 * time.Second,
}

// parseOptions reads the table http of a listener.
func parseOptions(list []event.KV) (*options, error) {
	o := defaults
	for _, kv := range list {
		if kv.Key != "http" {
			return nil, fmt.Errorf("unknown option %s", kv.Key)
		}
		inner, ok := kv.Value.([]event.KV)
		if !ok {
			return nil, fmt.Errorf("http: a table expected, got %s", plain.Describe(kv.Value))
		}
		for _, f := range inner {
			if err := o.set(f.Key, f.Value); err != nil {
				return nil, fmt.Errorf("http: %s: %w", f.Key, err)
			}
		}
	}
	return &o, nil
}

func (o *options) set(key string, v any) error {
	switch key {
	case "body":
		return plain.SetSize(&o.body, v)
	case "head":
		return bytesOf(&o.limits.Head, v)
	case "line":
		return bytesOf(&o.limits.Line, v)
	case "fields":
		return bytesOf(&o.limits.Fields, v)
	case "header_time":
		return span(&o.headerTime, v)
	case "body_time":
		return span(&o.bodyTime, v)
	case "idle_time":
		return span(&o.idleTime, v)
	case "reply_time":
		return span(&o.replyTime, v)
	case "message":
		return bytesOf(&o.message, v)
	case "ping_time":
		return span(&o.pingTime, v)
	case "compress":
		return plain.SetBool(&o.compress, v)
	}
	return errors.New("unknown: body, head, line, fields, header_time, body_time, idle_time, reply_time, message, ping_time and compress are known")
}

func bytesOf(dst *int, v any) error {
	var n int64
	if err := plain.SetSize(&n, v); err != nil {
		return err
	}
	if n < 1 || n > 16<<20 {
		return errors.New("1 to 16777216 expected")
	}
	*dst = int(n)
	return nil
}

func span(dst *time.Duration, v any) error {
	if err := plain.SetDuration(dst, v); err != nil {
		return err
	}
	if *dst <= 0 {
		return errors.New("more than 0 expected")
	}
	return nil
}

// DocLimits lists the limits with their defaults.
func DocLimits() []setting.Limit {
	list := []setting.Limit{
		setting.TextLimit("http_body", fmt.Sprint(defaults.body), "bytes of a body that is told whole; more is answered 413"),
		setting.TextLimit("http_header_time", defaults.headerTime.String(), "from the first byte of a request's head to its last; later is answered 408"),
		setting.TextLimit("http_body_time", defaults.bodyTime.String(), fmt.Sprintf("for a body, and a second more for each %d bytes that came; later is answered 408", bodyRate)),
		setting.TextLimit("http_idle_time", defaults.idleTime.String(), "between requests; then the connection is closed"),
		setting.TextLimit("http_reply_time", defaults.replyTime.String(), "for an answer that was promised by loop.later; later is answered 504"),
		setting.TextLimit("http_parts", fmt.Sprint(multipart.MaxParts), "parts of a form; more is answered 400"),
		setting.TextLimit("http_part_head", fmt.Sprint(multipart.MaxHead), "bytes of the head of a form's part; more is answered 400"),
		setting.TextLimit("ws_message", fmt.Sprint(defaults.message), "bytes of a WebSocket message; more closes with 1009"),
		setting.TextLimit("ws_ping_time", defaults.pingTime.String(), "silence after which a WebSocket's peer is pinged, and after which again it is given up"),
		setting.TextLimit("http_compress_max", fmt.Sprint(maxCompress), "bytes of an answer that is compressed; what is longer is sent as it is"),
		setting.TextLimit("http_pool_idle", fmt.Sprint(poolIdle), "unused connections to one server that http.get keeps for a while"),
		setting.TextLimit("http_pool_time", poolTime.String(), "how long they are kept"),
		setting.TextLimit("http_asking", fmt.Sprint(maxAsking), "requests of http.get of a shard at once; more fail"),
		setting.TextLimit("http_upload_time", uploadTimeout.String(), "for a request of http.upload and its response, unless the script says otherwise"),
		setting.TextLimit("http_expect_time", expectTime.String(), "until a body is sent though the server did not say that it wants it"),
		setting.TextLimit("http_upload_held", fmt.Sprint(maxHeld), "bytes of a body that wait for that; more fails"),
		setting.TextLimit("http_response", fmt.Sprint(defaultResponse), "bytes of a response that http.get takes, as it comes and inflated; more fails"),
	}
	return append(list, http1.DocLimits()...)
}
