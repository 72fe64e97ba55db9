/* SPDX-License-Identifier: Apache-2.0 */
#include "node/squeeze.h"

#include "base/err.h"
#include "base/own.h"

#include <stdlib.h>
#include <zstd.h>

enum { OUT_SIZE = 64 << 10 };

struct squeeze {
	ZSTD_CCtx *context;
	squeeze_sink *sink;
	void *cookie;
	char out[OUT_SIZE];
};

static void squeeze_freep(struct squeeze **squeeze)
{
	squeeze_free(*squeeze);
}

int squeeze_new(squeeze_sink *sink, void *cookie, struct squeeze **ret_squeeze, struct err *e)
{
	AUTO(struct squeeze *, squeeze_freep) squeeze = calloc(1, sizeof(*squeeze));

	if (!squeeze)
		return err_memory(e);
	squeeze->sink = sink;
	squeeze->cookie = cookie;
	squeeze->context = ZSTD_createCCtx();
	if (!squeeze->context ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(squeeze->context, ZSTD_c_checksumFlag, 1)))
		return err_memory(e);
	*ret_squeeze = TAKE(squeeze);
	return 0;
}

int squeeze_put(struct squeeze *squeeze, const void *bytes, size_t len, bool is_last, struct err *e)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	size_t left;
	int r;

	do {
		ZSTD_outBuffer out = { squeeze->out, sizeof(squeeze->out), 0 };

		left = ZSTD_compressStream2(squeeze->context, &out, &in,
					    is_last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_set(e, ERR_INTERNAL, "compress: %s", ZSTD_getErrorName(left));
		r = out.pos ? squeeze->sink(squeeze->cookie, squeeze->out, out.pos, e) : 0;
		if (r < 0)
			return r;
	} while (in.pos < in.size || (is_last && left > 0));
	return 0;
}

void squeeze_free(struct squeeze *squeeze)
{
	if (!squeeze)
		return;
	ZSTD_freeCCtx(squeeze->context);
	free(squeeze);
}
