// Package plot draws the few kinds of SVG that the report needs: horizontal bars, windows of time and a line.
//
// The pictures bring their colours for light and dark pages, and need nothing from outside.
package plot

import (
	"fmt"
	"html"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	width  = 760
	margin = 16
	style  = `<style>
text{font-family:system-ui,"Segoe UI",Helvetica,Arial,sans-serif;font-size:13px;fill:#1f2937}
.title{font-size:15px;font-weight:600}
.small{font-size:11px;fill:#6b7280}
.grid{stroke:#e5e7eb}
.axis{stroke:#9ca3af}
.limit{stroke:#dc2626;stroke-dasharray:5 4;fill:none}
.a{fill:#2563eb;stroke:#2563eb}
.b{fill:#9ca3af;stroke:#9ca3af}
.c{fill:#93c5fd;stroke:#93c5fd}
.line{fill:none;stroke-width:2}
.page{fill:#fff}
@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.small{fill:#9ca3af}.grid{stroke:#374151}.axis{stroke:#6b7280}.limit{stroke:#f87171}
.a{fill:#60a5fa;stroke:#60a5fa}.b{fill:#6b7280;stroke:#6b7280}.c{fill:#1d4ed8;stroke:#1d4ed8}.page{fill:#0d1117}}
</style>`
)

// Tone is the colour of a mark.
type Tone string

// The tones: what the picture is about, what it is held against, and what is less than the first.
const (
	Main  Tone = "a"
	Other Tone = "b"
	Pale  Tone = "c"
)

// canvas collects the marks of a picture.
type canvas struct{ b strings.Builder }

func (c *canvas) text(x, y float64, class, anchor, text string) {
	fmt.Fprintf(&c.b, `<text x="%s" y="%s" class="%s" text-anchor="%s">%s</text>`+"\n", num(x), num(y), class, anchor, html.EscapeString(text))
}

func (c *canvas) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&c.b, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`+"\n", num(x1), num(y1), num(x2), num(y2), class)
}

func (c *canvas) rect(x, y, w, h float64, tone Tone, hint string) {
	fmt.Fprintf(&c.b, `<rect x="%s" y="%s" width="%s" height="%s" class="%s" stroke="none"><title>%s</title></rect>`+"\n",
		num(x), num(y), num(w), num(h), tone, html.EscapeString(hint))
}

func (c *canvas) write(w io.Writer, title string, height float64) error {
	_, err := fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %s" role="img" aria-label="%s">`+"\n%s\n"+
		`<rect width="100%%" height="100%%" class="page"/>`+"\n%s</svg>\n", width, num(height), html.EscapeString(title), style, c.b.String())
	return err
}

// num writes a coordinate with at most one decimal.
func num(x float64) string { return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64) }

// Bars are horizontal bars, each with its value as text. On a logarithmic scale they begin at a power of ten below the least.
type Bars struct {
	Title, Note string
	Log         bool
	Groups      []Group
}

// Group is bars under a heading.
type Group struct {
	Title string
	Bars  []Bar
}

// Bar is one bar; Text is its value as people read it.
type Bar struct {
	Label string
	Value float64
	Text  string
	Tone  Tone
}

// Write draws the bars.
func (p Bars) Write(w io.Writer) error {
	const labels, values, row = 190, 110, 24
	least, most := math.Inf(1), 0.0
	for _, g := range p.Groups {
		for _, b := range g.Bars {
			least, most = min(least, b.Value), max(most, b.Value)
		}
	}
	room := float64(width - 2*margin - labels - values)
	length := func(v float64) float64 { return room * v / most }
	if p.Log {
		from := math.Floor(math.Log10(least))
		length = func(v float64) float64 { return room * (math.Log10(v) - from) / (math.Log10(most) - from) }
	}
	var c canvas
	y := 28.0
	c.text(margin, y, "title", "start", p.Title)
	if p.Note != "" {
		y += 18
		c.text(margin, y, "small", "start", p.Note)
	}
	for _, g := range p.Groups {
		y += 28
		c.text(margin, y, "small", "start", g.Title)
		for _, b := range g.Bars {
			y += row
			c.text(margin+labels-10, y, "", "end", b.Label)
			n := max(1, length(b.Value))
			c.rect(margin+labels, y-13, n, 17, b.Tone, b.Label+": "+b.Text)
			c.text(margin+labels+n+8, y, "", "start", b.Text)
		}
	}
	return c.write(w, p.Title, y+20)
}

// Windows are panels over one axis of time, each with a bar for every window and a dashed line where the bars should reach.
type Windows struct {
	Title, Note string
	Length      float64 // of a window, in seconds
	Panels      []Panel
}

// Panel is one panel: its bars' values, and Full, the value of the dashed line.
type Panel struct {
	Title string
	Full  float64
	Bars  []WindowBar
}

// WindowBar is what was used of the window that begins Start seconds after the beginning. Pale ones were not whole.
type WindowBar struct {
	Start, Value float64
	Pale         bool
}

// Write draws the panels.
func (p Windows) Write(w io.Writer) error {
	const left, height = 44, 74
	first, last := 0.0, 0.0
	for _, panel := range p.Panels {
		for _, b := range panel.Bars {
			first, last = min(first, b.Start), max(last, b.Start+p.Length)
		}
	}
	room := float64(width - 2*margin - left)
	x := func(t float64) float64 { return margin + left + room*(t-first)/(last-first) }
	var c canvas
	y := 28.0
	c.text(margin, y, "title", "start", p.Title)
	if p.Note != "" {
		y += 18
		c.text(margin, y, "small", "start", p.Note)
	}
	for _, panel := range p.Panels {
		y += 30
		c.text(margin, y, "", "start", panel.Title)
		bottom := y + 10 + height
		most := panel.Full * 1.1
		for _, b := range panel.Bars {
			most = max(most, b.Value)
		}
		up := func(v float64) float64 { return height * v / most }
		for _, b := range panel.Bars {
			tone := Main
			if b.Pale {
				tone = Pale
			}
			c.rect(x(b.Start)+1, bottom-up(b.Value), x(b.Start+p.Length)-x(b.Start)-2, up(b.Value), tone, num(b.Value)+" requests")
		}
		c.line(margin+left, bottom, width-margin, bottom, "axis")
		c.line(margin+left, bottom-up(panel.Full), width-margin, bottom-up(panel.Full), "limit")
		c.text(margin+left-6, bottom-up(panel.Full)+4, "small", "end", num(panel.Full))
		c.text(margin+left-6, bottom+4, "small", "end", "0")
		y = bottom
	}
	for t := 0.0; t <= last; t += tick(last, 10) {
		c.text(x(t), y+16, "small", "middle", num(t)+" s")
	}
	return c.write(w, p.Title, y+30)
}

// tick is a round distance that divides most into at most n parts.
func tick(most float64, n int) float64 {
	raw := most / float64(n)
	base := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, step := range []float64{1, 2, 3, 5} {
		if step*base >= raw {
			return step * base
		}
	}
	return 10 * base
}

// Line is a line over a logarithmic axis, with a dashed line that it should stay below.
type Line struct {
	Title, Note string
	Unit        string // of Y
	Limit       float64
	LimitText   string
	Points      []Point
}

// Point is a point of a line; Label says what X is.
type Point struct {
	X, Y  float64
	Label string
}

// Write draws the line.
func (p Line) Write(w io.Writer) error {
	const left, height = 54, 220
	most := p.Limit
	least, greatest := math.Inf(1), 0.0
	for _, pt := range p.Points {
		most = max(most, pt.Y)
		least, greatest = min(least, pt.X), max(greatest, pt.X)
	}
	most *= 1.1
	var c canvas
	y := 28.0
	c.text(margin, y, "title", "start", p.Title)
	if p.Note != "" {
		y += 18
		c.text(margin, y, "small", "start", p.Note)
	}
	bottom := y + 16 + height
	room := float64(width-2*margin-left) - 90
	x := func(v float64) float64 {
		if greatest == least {
			return margin + left + 30
		}
		return margin + left + 30 + room*(math.Log10(v)-math.Log10(least))/(math.Log10(greatest)-math.Log10(least))
	}
	up := func(v float64) float64 { return bottom - height*v/most }
	for v := 0.0; v <= most; v += tick(most, 6) {
		c.line(margin+left, up(v), width-margin, up(v), "grid")
		c.text(margin+left-8, up(v)+4, "small", "end", num(v)+" "+p.Unit)
	}
	if p.Limit > 0 {
		c.line(margin+left, up(p.Limit), width-margin, up(p.Limit), "limit")
		c.text(width-margin, up(p.Limit)-6, "small", "end", p.LimitText)
	}
	var path strings.Builder
	for i, pt := range p.Points {
		fmt.Fprintf(&path, "%c%s %s", "ML"[min(i, 1)], num(x(pt.X)), num(up(pt.Y)))
	}
	fmt.Fprintf(&c.b, `<path d="%s" class="a line" fill="none" style="fill:none"/>`+"\n", path.String())
	for _, pt := range p.Points {
		fmt.Fprintf(&c.b, `<circle cx="%s" cy="%s" r="4" class="a"/>`+"\n", num(x(pt.X)), num(up(pt.Y)))
		c.text(x(pt.X), up(pt.Y)-10, "", "middle", num(pt.Y)+" "+p.Unit)
		c.text(x(pt.X), bottom+18, "small", "middle", pt.Label)
	}
	return c.write(w, p.Title, bottom+32)
}
