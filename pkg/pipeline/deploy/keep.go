package deploy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// keepState seals a state that could not be written into the kept folder of its
// plan, behind a copy of the receipt that it is bound to. Where the store is gone
// as well, it becomes a sealed file in in.SpareDir, which outlasts the run directory.
func (a *Applier) keepState(ctx context.Context, in pipeline.TargetInput, folder record.PlanAttempt, receipt pipeline.Receipt, file string) (operator, spare string, err error) {
	ctx, cancel := record.CleanupContext(ctx)
	defer cancel()
	command := fmt.Sprintf("metapipe state recover %s --request %s", receipt.Target().Flags(), receipt.Request)
	kept := record.PlanAttempt{
		Target: receipt.Target(),
		Prefix: record.KeptRequestPrefix(receipt.Target(), receipt.Request) + path.Base(folder.Prefix) + "/",
	}
	storeErr := a.Store.Create(ctx, kept.Key(record.ObjectReceipt), bytes.NewReader(receipt.Bytes()))
	if storeErr == nil {
		storeErr = a.sealFile(file, func(body io.Reader) error {
			return record.SealInto(ctx, a.Store, a.Sealer, kept.Key(record.ObjectErrored), pipeline.BindTo(receipt, record.ObjectErrored), body)
		})
	}
	if storeErr == nil {
		return fmt.Sprintf("before anything else is deployed, when the backend works again: `%s`", command), "", nil
	}
	spare = filepath.Join(in.SpareDir, fmt.Sprintf("errored-state-%s-%s-%s.sealed", receipt.Customer, receipt.Target().Part(), receipt.Request))
	if err := a.spareFile(ctx, file, spare, receipt); err != nil {
		return "", "", fmt.Errorf("the state of %s/%s could be kept neither in the store nor in %s, and is lost with the run directory: %w", receipt.Customer,
			receipt.Environment, in.SpareDir, errors.Join(storeErr, err))
	}
	return fmt.Sprintf("keep the file %s (it is sealed; the store could not take it: %v) and, before anything else is deployed, when store and backend work "+
		"again: `%s --file %s`", spare, storeErr, command, spare), spare, nil
}

func (a *Applier) sealFile(file string, to func(io.Reader) error) error {
	f, err := os.Open(filepath.Clean(file))
	if err != nil {
		return err
	}
	return errors.Join(to(f), f.Close())
}

func (a *Applier) spareFile(ctx context.Context, file, spare string, receipt pipeline.Receipt) error {
	if err := os.MkdirAll(filepath.Dir(spare), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(filepath.Clean(spare), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = a.sealFile(file, func(body io.Reader) error {
		// The receipt goes along: that of the plan may be gone from the store by then.
		if _, err := out.Write(append(receipt.Bytes(), '\n')); err != nil {
			return err
		}
		w, err := a.Sealer.Seal(ctx, out, pipeline.BindTo(receipt, record.ObjectErrored))
		if err != nil {
			return err
		}
		_, err = io.Copy(w, body)
		return errors.Join(err, w.Close())
	})
	if err == nil {
		err = out.Sync()
	}
	return errors.Join(err, out.Close())
}
