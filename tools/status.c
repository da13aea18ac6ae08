/* SPDX-License-Identifier: MIT */
/* status.c - hresv status: the machine's huge pages, or one process */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "tools/command.h"
#include "tools/report.h"
#include "tools/system.h"
#include "tools/watch.h"

static const char usage[] =
	"status [--json|--prometheus] [PID]\n"
	"\n"
	"Pools by size and node, who holds their pages, control groups, mounts and their\n"
	"quota; with PID, what that process has.\n"
	"\n"
	"  --json         for programs\n"
	"  --prometheus   for node_exporter's textfile collector\n";
static const struct command me = { .name = "status" };

enum form { FORM_TEXT, FORM_JSON, FORM_PROMETHEUS };

static int status_system(enum form form)
{
	struct screen on;
	struct watch w = { 0 };
	struct system s;
	struct json j;
	int err;

	system_read(SYSTEM_ALL, &s);
	if (form == FORM_JSON) {
		json_start(&j, stdout);
		json_object(&j, NULL);
		system_json(&j, &s);
		json_end_object(&j);
	} else if (form == FORM_PROMETHEUS) {
		watch_round(&w);
		prometheus_write(stdout, &s, &w);
		watch_free(&w);
	} else {
		screen_start(&on, stdout);
		system_print(&on, &s);
	}
	err = s.sizes_err ? EXIT_FAILED : EXIT_FINE;
	system_free(&s);
	return err;
}

static int status_process(pid_t pid, enum form form)
{
	struct screen on;
	struct report r;
	struct json j;
	int err = report_of_pid(pid, &r);

	if (err)
		return command_failed("process %d: %s", (int)pid,
				      err == -ENOENT ? "there is none" : strerror(-err));
	if (form == FORM_JSON) {
		json_start(&j, stdout);
		json_object(&j, NULL);
		report_json(&j, &r);
		json_end_object(&j);
	} else {
		screen_start(&on, stdout);
		report_print(&on, &r);
	}
	return EXIT_FINE;
}

static int status_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, FORM_JSON },
		{ "prometheus", no_argument, NULL, FORM_PROMETHEUS },
		{ 0 },
	};
	enum form form = FORM_TEXT;
	int option;
	pid_t pid;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			return command_misused(&me, "no such option");
		form = (enum form)option;
	}
	if (optind == argc)
		return status_system(form);
	if (optind + 1 != argc || proc_pid_of(argv[optind], &pid) != 0)
		return command_misused(&me, "'%s' is not a process", argv[optind]);
	if (form == FORM_PROMETHEUS)
		return command_misused(&me, "--prometheus is for the whole system");
	return status_process(pid, form);
}

COMMAND(status, .name = "status", .line = "the machine's huge pages, or a process'",
	.usage = usage, .run = status_main);
