/* SPDX-License-Identifier: MIT */
/*
 * start.c - what happens when the library is loaded, and when the program ends
 *
 * Nothing here is needed for a call to be right: the first interposed call,
 * whoever makes it and however early, reads the configuration by itself. The
 * constructor makes that early and single-threaded; it reads no file. It runs
 * before every other, libc's too (-z initfirst; preload/fork.c says why).
 */
#include "config.h"
#include "core/act/stats.h"
#include "core/base/out.h"
#include "core/facts/conf.h"
#include "core/fork.h"
#include "core/plan.h"
#include "preload/elf_remap.h"
#include "preload/fork.h"
#include "preload/ioctl.h"
#include "preload/mlock.h"
#include "preload/read.h"
#include "preload/real.h"
#include "preload/signal.h"

__attribute__((constructor(101))) static void start(int argc, char **argv, char **environment)
{
	const struct conf *conf = conf_start(environment);

	(void)argc;
	(void)argv;
	fork_start();
	real_keep(true);
	preload_fork_find();
	preload_read_find();
	preload_sync_find();
	preload_answer_find();
	preload_signal_find();
	preload_mask_find();
	preload_exec_find();
	preload_thread_find();
	preload_ioctl_find();
	real_keep(false);
	if (conf)
		out_start(conf->verbose);
#if HRESV_WITH_ELF
	if (conf)
		elf_remap_start(conf);
#endif
}

/* A forked child that exits by exit() tells its own, as for any program. */
__attribute__((destructor)) static void finish(void)
{
	const struct conf *conf = conf_get();

	if (conf && conf->active && (conf->verbose >= 2 || conf->stats))
		stats_finish(conf, plan_page_bytes(USE_MMAP));
}
