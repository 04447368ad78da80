// The window of an update, for osascript. Lines of input, fields with tabs
// between: part of the bar (0 to 1), title, detail, notes, name of the button.
// Ends with 42 when the button is pressed, with 0 when the input ends.
ObjC.import("Cocoa");

const app = $.NSApplication.sharedApplication;
app.setActivationPolicy($.NSApplicationActivationPolicyAccessory);

const rect = (x, y, w, h) => $.NSMakeRect(x, y, w, h);
const label = (y, small) => {
  const field = $.NSTextField.labelWithString($(""));
  field.frame = rect(20, y, 380, 18);
  if (small) field.font = $.NSFont.systemFontOfSize(11);
  return field;
};

ObjC.registerSubclass({
  name: "Button",
  methods: { "press:": { types: ["void", ["id"]], implementation: () => $.exit(42) } },
});
const target = $.Button.alloc.init;

const window = $.NSWindow.alloc.initWithContentRectStyleMaskBackingDefer(
  rect(0, 0, 420, 150), $.NSWindowStyleMaskTitled, $.NSBackingStoreBuffered, false);
const title = label(116, false);
const detail = label(68, true);
const notes = label(48, true);
const bar = $.NSProgressIndicator.alloc.initWithFrame(rect(20, 90, 380, 18));
bar.indeterminate = false;
bar.minValue = 0;
bar.maxValue = 1;
const button = $.NSButton.buttonWithTitleTargetAction($(""), target, "press:");
for (const view of [title, bar, detail, notes, button]) window.contentView.addSubview(view);
window.center;
window.makeKeyAndOrderFront(null);

const input = $.NSFileHandle.fileHandleWithStandardInput;
let rest = "";
const show = (line) => {
  const [part, name, how, what, press] = line.split("\t");
  title.stringValue = $(name);
  window.title = $(name);
  detail.stringValue = $(how);
  notes.stringValue = $(what);
  bar.doubleValue = parseFloat(part);
  button.title = $(press);
  button.sizeToFit;
  const width = button.frame.size.width;
  button.frameOrigin = $.NSMakePoint(400 - width, 10);
};

ObjC.registerSubclass({
  name: "Reader",
  methods: {
    "read:": {
      types: ["void", ["id"]],
      implementation: () => {
        const data = input.availableData;
        if (data.length === 0) $.exit(0);
        const text = $.NSString.alloc.initWithDataEncoding(data, $.NSUTF8StringEncoding);
        const lines = (rest + text.js).split("\n");
        rest = lines.pop();
        if (lines.length > 0) show(lines[lines.length - 1]);
        input.waitForDataInBackgroundAndNotify;
      },
    },
  },
});
const reader = $.Reader.alloc.init;
$.NSNotificationCenter.defaultCenter.addObserverSelectorNameObject(
  reader, "read:", $.NSFileHandleDataAvailableNotification, input);
input.waitForDataInBackgroundAndNotify;
app.activateIgnoringOtherApps(true);
app.run;
