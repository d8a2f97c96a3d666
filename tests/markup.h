/* A reader of markup, as strict as XML but for <!DOCTYPE>, void elements and raw text in <style>. */
#ifndef OSPREY_TESTS_MARKUP_H
#define OSPREY_TESTS_MARKUP_H

/* Elements nest and are closed, attributes are quoted and stand once, every '&', '<' and '>' of the text is escaped; else the
 * test fails. */
void assert_well_formed(const char *text);

#endif
