package oktasim

import (
	"time"
	"unicode/utf8"
)

// Bodies are built by appending: a benchmark that reads from the org should measure the reader.

// appendTime writes ms since the epoch as Okta writes instants: 2006-01-02T15:04:05.000Z.
func appendTime(b []byte, ms int64) []byte {
	days := floorDiv(ms, 86_400_000)
	rest := int(ms - days*86_400_000)
	// Days to civil date, after Howard Hinnant's date algorithms.
	z := days + 719_468
	era := floorDiv(z, 146_097)
	doe := z - era*146_097
	yoe := (doe - doe/1460 + doe/36_524 - doe/146_096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	d := int(doy - (153*mp+2)/5 + 1)
	m := int(mp + 3)
	y := int(yoe + era*400)
	if m > 12 {
		m -= 12
		y++
	}
	b = append(b,
		'0'+byte(y/1000%10), '0'+byte(y/100%10), '0'+byte(y/10%10), '0'+byte(y%10), '-',
		'0'+byte(m/10), '0'+byte(m%10), '-', '0'+byte(d/10), '0'+byte(d%10), 'T')
	h, mi, s, milli := rest/3_600_000, rest/60_000%60, rest/1000%60, rest%1000
	return append(b,
		'0'+byte(h/10), '0'+byte(h%10), ':', '0'+byte(mi/10), '0'+byte(mi%10), ':', '0'+byte(s/10), '0'+byte(s%10), '.',
		'0'+byte(milli/100), '0'+byte(milli/10%10), '0'+byte(milli%10), 'Z')
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendTimeMember writes `"name":"instant",`; 0 stands for null.
func appendTimeMember(b []byte, name string, ms int64) []byte {
	b = append(b, '"')
	b = append(b, name...)
	if ms == 0 {
		return append(b, `":null,`...)
	}
	b = append(b, `":"`...)
	b = appendTime(b, ms)
	return append(b, `",`...)
}

// appendJSON writes s as a JSON string.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				b = append(append(b, s[start:i]...), `\ufffd`...)
				start = i + 1
			}
			i += size
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', "0123456789abcdef"[c>>4], "0123456789abcdef"[c&15])
		}
		i++
		start = i
	}
	return append(append(b, s[start:]...), '"')
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, "true"...)
	}
	return append(b, "false"...)
}

func appendHex(b []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, "0123456789abcdef"[v>>(4*i)&15])
	}
	return b
}

func appendBase62(b []byte, v uint64, digits int) []byte {
	for range digits {
		b = append(b, base62[v%62])
		v /= 62
	}
	return b
}

func millis(t time.Time) int64 { return t.UnixMilli() }

func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
