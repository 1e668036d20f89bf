package plot_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"source-okta/bench/plot"
)

// picture is what of an SVG a reader sees.
type picture struct {
	Texts []string `xml:"text"`
	Rects []struct {
		Class  string `xml:"class,attr"`
		Width  string `xml:"width,attr"`
		Height string `xml:"height,attr"`
		Title  string `xml:"title"`
	} `xml:"rect"`
}

func draw(t *testing.T, p interface{ Write(w io.Writer) error }) picture {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, p.Write(&b))
	assert.NotContains(t, b.String(), "NaN")
	assert.NotContains(t, b.String(), "Inf")
	var seen picture
	require.NoError(t, xml.Unmarshal(b.Bytes(), &seen))
	return seen
}

func number(t *testing.T, text string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(text, 64)
	require.NoError(t, err)
	return n
}

func TestBarsAreAsLongAsTheirValues(t *testing.T) {
	p := draw(t, plot.Bars{Title: "a < b & c", Groups: []plot.Group{{Title: "one", Bars: []plot.Bar{
		{Label: "long", Value: 300, Text: "300 s", Tone: plot.Other}, {Label: "short", Value: 100, Text: "100 s", Tone: plot.Main},
	}}}})
	require.Len(t, p.Rects, 3, "the page and two bars")
	assert.InDelta(t, 3, number(t, p.Rects[1].Width)/number(t, p.Rects[2].Width), 0.01)
	assert.Equal(t, []string{"a < b & c", "one", "long", "300 s", "short", "100 s"}, p.Texts)
}

func TestLogarithmicBarsGrowByEqualStepsForEqualRatios(t *testing.T) {
	p := draw(t, plot.Bars{Log: true, Groups: []plot.Group{{Bars: []plot.Bar{{Value: 0.02}, {Value: 0.2}, {Value: 2}}}}})
	a, b, c := number(t, p.Rects[1].Width), number(t, p.Rects[2].Width), number(t, p.Rects[3].Width)
	assert.InDelta(t, b-a, c-b, 0.2)
}

func TestWindowsShowWhatWasUsedAndWhichWereNotWhole(t *testing.T) {
	p := draw(t, plot.Windows{Length: 15, Panels: []plot.Panel{{Title: "/api/v1/logs", Full: 96, Bars: []plot.WindowBar{
		{Start: -5, Value: 48, Pale: true}, {Start: 10, Value: 96},
	}}}})
	require.Len(t, p.Rects, 3)
	assert.Equal(t, string(plot.Pale), p.Rects[1].Class)
	assert.Equal(t, "48 requests", p.Rects[1].Title)
	assert.InDelta(t, 2, number(t, p.Rects[2].Height)/number(t, p.Rects[1].Height), 0.01)
}

func TestALineNamesItsPointsAndItsLimit(t *testing.T) {
	p := draw(t, plot.Line{Title: "memory", Unit: "MB", Limit: 64, LimitText: "64 MiB", Points: []plot.Point{
		{X: 1000, Y: 20.04, Label: "1,000 users"}, {X: 1_000_000, Y: 30, Label: "1,000,000 users"},
	}})
	for _, text := range []string{"20 MB", "30 MB", "64 MiB", "1,000,000 users"} {
		assert.Contains(t, p.Texts, text)
	}
	draw(t, plot.Line{Points: []plot.Point{{X: 1000, Y: 20}}})
}
