/* SPDX-License-Identifier: MIT */
/* settings.h - the configuration a program would have: environment, and hresv.conf below it */
#ifndef HRESV_TOOLS_SETTINGS_H
#define HRESV_TOOLS_SETTINGS_H

#include "core/facts/conf.h"
#include "core/facts/conf_file.h"
#include "tools/program.h"

struct settings {
	struct conf conf;	/* leans on what is behind it, and on the environment */
	struct conf_file file;
};

/* Of @program (NULL: of none in particular). 0 or -ENOMEM. */
int settings_read(const struct program *program, struct settings *ret_settings);
void settings_close(struct settings *s);

#endif
