package api

import (
	"context"
	"encoding/json"
	"fmt"

	"fanfare"
	"fanfare/jobs"
)

const (
	metricsMax  = 64 << 10
	channelsMax = 20
)

type analyticsInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Prefer         string `header:"Prefer" doc:"wait=N, up to 25: answer with the result if it is there within N seconds"`
	Body           struct {
		CampaignID string          `json:"campaignId"`
		Goal       string          `json:"goal" doc:"1 to 2,000 characters"`
		Channels   []string        `json:"channels" nullable:"false"`
		Metrics    json.RawMessage `json:"metrics" doc:"JSON of any shape, up to 64 KiB"`
	}
}

// AnalysisAccepted is the answer to accepted metrics.
type AnalysisAccepted struct {
	Job        Job    `json:"job"`
	CampaignID string `json:"campaignId" format:"uuid"`
}

// Analysis is a finished analysis, for those who waited.
type Analysis jobs.AnalyzeResult

func (s *Server) submitAnalysis(ctx context.Context, in *analyticsInput) (*submitOutput, error) {
	performance, err := s.performance(in.Body.Goal, in.Body.Channels, "metrics", in.Body.Metrics)
	if err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		// Locked, so that deleting the campaign sees this job, and cancels it.
		campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.Body.CampaignID)
		if err != nil {
			return created{}, err
		}
		job, err := jobs.Analyze.New(user(ctx).ID, campaign.ID, jobs.AnalyzePayload{CampaignID: campaign.ID, Performance: performance})
		if err != nil {
			return created{}, err
		}
		return s.acceptAnalytics(ctx, job, fanfare.ActionAnalyticsAnalyze, func(job Job) any {
			return AnalysisAccepted{Job: job, CampaignID: campaign.ID}
		})
	})
	if err != nil {
		return nil, err
	}
	return s.answerSubmission(ctx, answer, in.Prefer, func(job fanfare.Job) (any, error) {
		return AnalysisAccepted{Job: ViewJob(job), CampaignID: value(job.CampaignID)}, nil
	}), nil
}

type optimizationsInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Prefer         string `header:"Prefer" doc:"wait=N, up to 25: answer with the result if it is there within N seconds"`
	Body           struct {
		CampaignID         *string         `json:"campaignId,omitempty"`
		Goal               string          `json:"goal" doc:"1 to 2,000 characters"`
		Channels           []string        `json:"channels" nullable:"false"`
		CurrentPerformance json.RawMessage `json:"currentPerformance" doc:"JSON of any shape, up to 64 KiB"`
		TargetMetrics      json.RawMessage `json:"targetMetrics,omitempty" doc:"Likewise"`
	}
}

// Optimizations are finished suggestions, for those who waited.
type Optimizations jobs.OptimizeResult

func (s *Server) submitOptimizations(ctx context.Context, in *optimizationsInput) (*submitOutput, error) {
	performance, err := s.performance(in.Body.Goal, in.Body.Channels, "currentPerformance", in.Body.CurrentPerformance)
	if err != nil {
		return nil, err
	}
	if err := s.checkMetrics("targetMetrics", in.Body.TargetMetrics); err != nil {
		return nil, err
	}
	if string(in.Body.TargetMetrics) != "null" {
		performance.Targets = in.Body.TargetMetrics
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		campaignID := value(in.Body.CampaignID)
		if campaignID != "" {
			campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, campaignID)
			if err != nil {
				return created{}, err
			}
			campaignID = campaign.ID
		}
		job, err := jobs.Optimize.New(user(ctx).ID, campaignID, jobs.OptimizePayload{Performance: performance})
		if err != nil {
			return created{}, err
		}
		return s.acceptAnalytics(ctx, job, fanfare.ActionAnalyticsOptimize, func(job Job) any { return JobAnswer{Job: job} })
	})
	if err != nil {
		return nil, err
	}
	return s.answerSubmission(ctx, answer, in.Prefer, func(job fanfare.Job) (any, error) {
		return JobAnswer{Job: ViewJob(job)}, nil
	}), nil
}

// acceptAnalytics stores a job with its audit record.
func (s *Server) acceptAnalytics(ctx context.Context, job fanfare.NewJob, action string, body func(Job) any) (created, error) {
	stored, err := s.Store.Submit(ctx, job)
	if err != nil {
		return created{}, err
	}
	if err := s.Store.Audit(ctx, audited(ctx, action, stored.ID, nil)); err != nil {
		return created{}, err
	}
	return accepted(stored, body(ViewJob(stored))), nil
}

// performance checks what is to be analyzed, and cleans the words in it.
func (s *Server) performance(goal string, channels []string, field string, metrics json.RawMessage) (fanfare.Performance, error) {
	var p fanfare.Performance
	var err error
	if p.Goal, err = s.Cleaner.CleanText("goal", goal, goalMax); err != nil {
		return p, err
	}
	if len(channels) < 1 || len(channels) > channelsMax {
		return p, fanfare.Invalid("channels", "must name 1 to %d channels", channelsMax)
	}
	for i, channel := range channels {
		clean, err := s.Cleaner.CleanText(fmt.Sprintf("channels[%d]", i), channel, 100)
		if err != nil {
			return p, err
		}
		p.Channels = append(p.Channels, clean)
	}
	p.Metrics = metrics
	if len(metrics) == 0 || string(metrics) == "null" {
		return p, fanfare.Invalid(field, required)
	}
	return p, s.checkMetrics(field, metrics)
}

// checkMetrics bounds metrics, and refuses those whose words try to steer the
// model. The metrics themselves stay as they were sent, to the last digit.
func (s *Server) checkMetrics(field string, raw json.RawMessage) error {
	if len(raw) > metricsMax {
		return fanfare.Invalid(field, "must have at most 64 KiB")
	}
	var metrics any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &metrics); err != nil {
			return fmt.Errorf("reading %s: %w", field, err)
		}
	}
	for _, word := range wordsIn(metrics) {
		if _, err := s.Cleaner.CleanText(field, word, metricsMax); fanfare.ErrorCode(err) == fanfare.CodeSuspiciousInput {
			return err
		}
	}
	return nil
}

// wordsIn lists the names and texts in decoded JSON.
func wordsIn(value any) (words []string) {
	switch v := value.(type) {
	case string:
		words = append(words, v)
	case []any:
		for _, entry := range v {
			words = append(words, wordsIn(entry)...)
		}
	case map[string]any:
		for name, entry := range v {
			words = append(append(words, name), wordsIn(entry)...)
		}
	}
	return words
}
