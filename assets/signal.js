// 'select' for each value from the server that differs from the one before: once, however often it is sent.
let last = "";
const tell = () => {
  if (props.value && props.value !== last) {
    last = props.value;
    trigger("select", {});
  }
};
watch("value", tell);
tell();
